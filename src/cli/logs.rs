//! `flow logs RUN [STEP]`

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::options::look;
use super::{Done, End, out};
use crate::event::{Event, Record};
use crate::flow::{log_stem, output_file};
use crate::plan::{Ack, Plan, StepId, Task};
use crate::state::RunState;
use crate::view::logs::{Logs, Piece};
use crate::view::{Look, Transcript, is_secret, partly_kept};

/// How often a run that goes on is looked at again. It belongs to another process, which knows nothing of us.
const AGAIN: Duration = Duration::from_millis(200);

/// Print what the steps of a run wrote
///
/// All attempts, in the order in which they began. With several steps, the path of the step stands before each line. Of a
/// pipeline, these are the items that it collected. Of an agent, this is what it said and did, as text.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow logs last                                     all steps
  flow logs last test                                one step, or all steps of a group
  flow logs last test --stderr
  flow logs last review --events                     what an agent did, for programs
  flow logs last review --prompt                     what was sent to an agent
  flow logs last -f                                  and what they write from now on, until the run ends")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// A step or a group: its path, or the end of it
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    stdout: bool,
    /// Only standard error
    #[arg(long)]
    stderr: bool,
    /// Of agents: what their programs printed, as it came
    #[arg(long, conflicts_with = "stderr")]
    raw: bool,
    /// Of agents: what they said and did as events, a line of JSON each
    #[arg(long, conflicts_with_all = ["stderr", "raw"])]
    events: bool,
    /// What was sent to agents: their prompts, with what these hold of other steps
    #[arg(long, conflicts_with_all = ["stdout", "stderr", "raw", "events"])]
    prompt: bool,
    /// Go on with what is written from now on, until the run ends
    #[arg(short, long)]
    follow: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let run = flow.find(&self.run)?;
        let folder = flow.run_folder(&run)?.join("logs");
        let mut state = RunState::default();
        let mut reader = Reader {
            folder,
            read: HashMap::new(),
            attempts: Vec::new(),
            transcripts: HashMap::new(),
            look: out::results_look(),
            args: &self,
        };
        let first = flow.records(&run, 0)?;
        reader.attempts_of(&mut state, &first);
        let only = self.step.as_deref().map(|step| flow.find_step(&state, step)).transpose()?;
        if let Some(id) = only.filter(|id| is_secret(&state.plan, *id)) {
            out::tell(&format!("the output of `{}` is secret and not shown\n", state.plan.path(id)));
        }
        reader.select(&state, only);
        let several = reader.steps() > 1 || (self.follow && only.is_none_or(|id| state.plan.step(id).task.is_group()));
        let again = reader.attempts.iter().any(|begun| begun.attempt > 1);
        let mut logs = Logs::new(out::results(), out::results_look(), several, again);
        loop {
            // Asked before reading: whatever is written before the end is read then.
            let over = !self.follow || flow.summary(&run)?.status != crate::event::RunStatus::Running;
            let new = flow.records(&run, state.events)?;
            reader.attempts_of(&mut state, &new);
            reader.select(&state, only);
            reader.print(&mut logs, !over)?;
            if over {
                break;
            }
            std::thread::sleep(AGAIN);
        }
        match self.prompt {
            true if reader.read.is_empty() => out::tell("nothing was sent to an agent here\n"),
            true => {}
            false => reader.tell_what_is_missing(&state),
        }
        Ok(0)
    }
}

/// Reads log files on from where it has read them to.
struct Reader<'a> {
    folder: PathBuf,
    /// How much of a file has been read.
    read: HashMap<PathBuf, u64>,
    /// In the order in which they began.
    attempts: Vec<Begun>,
    /// What agents said, by the files of their events.
    transcripts: HashMap<PathBuf, Transcript>,
    look: Look,
    args: &'a Args,
}

/// An attempt.
struct Begun {
    /// The step, in the plan of now. Nothing: an edited script has it no more.
    step: Option<StepId>,
    /// Its path then.
    path: String,
    attempt: u32,
    /// What the names of its files begin with.
    stem: String,
    /// Does it ask an agent?
    is_agent: bool,
    /// The file of what it gave: of a pipeline that of the collected items, the same for all attempts.
    output: String,
    /// The file that this one may begin with: what the attempt before has answered.
    after: Option<String>,
    /// Not to be shown.
    hidden: bool,
}

/// Is the output of a further attempt that of the one before, and more? So it is at the end of a stream, where each line is
/// answered once.
fn goes_on(plan: &Plan, step: StepId) -> bool {
    let at = plan.step(step);
    let is_last = at.parent.is_some_and(|group| match &*plan.step(group).task {
        Task::Stream(stream) => stream.levels.last().is_some_and(|level| level.contains(&step)),
        _ => false,
    });
    is_last && at.policy.as_ref().is_some_and(|policy| policy.ack == Ack::Line)
}

/// Does a file begin with all of another? One that is not there has nothing in it.
fn begins_with(file: &mut File, other: &Path) -> io::Result<bool> {
    let Ok(other) = File::open(other) else { return Ok(false) };
    let (mut other, mut file) = (BufReader::new(other), BufReader::new(file));
    loop {
        let (theirs, ours) = (other.fill_buf()?, file.fill_buf()?);
        let n = theirs.len().min(ours.len());
        if theirs[..n] != ours[..n] || (n == 0 && !theirs.is_empty()) {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
        other.consume(n);
        file.consume(n);
    }
}

/// Whole lines of events as text, and how many bytes that were. `open`: more will come.
fn told(transcript: &mut Transcript, mut content: impl BufRead, open: bool) -> io::Result<(u64, String)> {
    let (mut taken, mut text, mut line) = (0, String::new(), String::new());
    while content.read_line(&mut line)? > 0 {
        if !line.ends_with('\n') && open {
            break;
        }
        taken += line.len() as u64;
        transcript.line(line.trim_end(), &mut text);
        line.clear();
    }
    if !open {
        transcript.close(&mut text);
    }
    Ok((taken, text))
}

impl Reader<'_> {
    /// Takes up records: the attempts that have begun.
    fn attempts_of(&mut self, state: &mut RunState, records: &[Record]) {
        for record in records {
            state.apply(record.at, &record.event);
            match &*record.event {
                // Groups write nothing.
                Event::Started { step, attempt } if !state.plan.step(*step).task.is_group() => {
                    let path = state.plan.path(*step);
                    let stem = log_stem(*step, &path, *attempt);
                    let output = output_file(&state.plan.step(*step).task, *step, &path, *attempt);
                    let hidden = is_secret(&state.plan, *step);
                    let after = (*attempt > 1 && goes_on(&state.plan, *step))
                        .then(|| output_file(&state.plan.step(*step).task, *step, &path, *attempt - 1));
                    let is_agent = matches!(&*state.plan.step(*step).task, Task::Agent(_));
                    let step = Some(*step);
                    self.attempts.push(Begun { step, path, attempt: *attempt, stem, is_agent, output, after, hidden });
                }
                Event::Replanned(new) => {
                    let now: HashMap<StepId, StepId> =
                        new.kept.iter().chain(&new.again).map(|(now, then)| (*then, *now)).collect();
                    for begun in &mut self.attempts {
                        begun.step = begun.step.and_then(|then| now.get(&then).copied());
                    }
                }
                _ => {}
            }
        }
    }

    /// Leaves out what is not asked for: other steps, and secrets.
    fn select(&mut self, state: &RunState, only: Option<StepId>) {
        let within = |mut id: StepId, group: StepId| loop {
            match state.plan.step(id).parent {
                _ if id == group => return true,
                Some(parent) => id = parent,
                None => return false,
            }
        };
        let wanted = |begun: &Begun| match (only, begun.step) {
            (None, _) => true,
            (Some(group), Some(step)) => within(step, group),
            (Some(_), None) => false,
        };
        let hidden = |begun: &Begun| begun.hidden || begun.step.is_some_and(|step| is_secret(&state.plan, step));
        self.attempts.retain(|begun| wanted(begun) && !hidden(begun));
    }

    /// Says which logs hold only the first part of what was written, and where the dead letters are.
    fn tell_what_is_missing(&self, state: &RunState) {
        let run = &state.created.run;
        let mut told: Vec<StepId> = Vec::new();
        for id in self.attempts.iter().filter_map(|begun| begun.step) {
            if told.contains(&id) {
                continue;
            }
            told.push(id);
            let path = state.plan.path(id);
            let outcome = state.step(id).outcome.as_deref();
            let kept = outcome.and_then(|outcome| outcome.stdout.as_ref()).map_or(0, |log| log.bytes);
            let streamed = outcome.and_then(|outcome| outcome.streamed.as_deref()).filter(|_| !self.args.stderr);
            if let Some(said) = streamed.and_then(|streamed| partly_kept(streamed, kept)) {
                out::tell(&format!("`{path}`: {said}\n"));
            }
            let reached = state.step(id).flowed.as_deref().and_then(|flowed| flowed.reached.as_deref());
            if let Some(dead) = reached.map(|reached| reached.counts.dead).filter(|dead| *dead > 0) {
                let letters = if dead == 1 { "1 dead letter".to_owned() } else { format!("{dead} dead letters") };
                out::tell(&format!("`{path}` has {letters}: flow pipeline dead {run} {path}\n"));
            }
        }
    }

    fn steps(&self) -> usize {
        let mut steps: Vec<_> = self.attempts.iter().map(|begun| &begun.path).collect();
        steps.sort_unstable();
        steps.dedup();
        steps.len()
    }

    /// Prints what is new in the files; `open`: the run goes on.
    fn print(&mut self, logs: &mut Logs<impl Write>, open: bool) -> Result<(), End> {
        for begun in &self.attempts {
            let (prompt, out) = (self.args.prompt, format!("{}.prompt.md", begun.stem));
            for (stderr, wanted) in [(false, !self.args.stderr), (true, !self.args.stdout && !prompt)] {
                if !wanted {
                    continue;
                }
                let path = self.folder.join(match stderr {
                    true => format!("{}.err", begun.stem),
                    false if prompt => out.clone(),
                    false => begun.output.clone(),
                });
                // A file that is not there has nothing to say.
                let asks = begun.is_agent && !(stderr || prompt || self.args.raw);
                if let (true, Ok(mut file)) =
                    (asks, File::open(self.folder.join(format!("{}.agent.ndjson", begun.stem))))
                {
                    let read = self.read.entry(path.clone()).or_default();
                    file.seek(SeekFrom::Start(*read))?;
                    let piece = Piece { path: begun.path.clone(), attempt: begun.attempt, stderr };
                    let content = BufReader::new(file);
                    if self.args.events {
                        *read += logs.write(&piece, content, open)?;
                        continue;
                    }
                    let transcript = self.transcripts.entry(path).or_insert_with(|| Transcript::new(self.look));
                    let (taken, text) = told(transcript, content, open)?;
                    *read += taken;
                    logs.write(&piece, text.as_bytes(), false)?;
                    continue;
                }
                let Ok(mut file) = File::open(&path) else { continue };
                if let (false, Some(before), false) = (stderr || prompt, &begun.after, self.read.contains_key(&path)) {
                    // What it has taken over was printed with that one.
                    let before = self.folder.join(before);
                    let taken = if begins_with(&mut file, &before)? { before.metadata()?.len() } else { 0 };
                    self.read.insert(path.clone(), taken);
                }
                let read = self.read.entry(path).or_default();
                file.seek(SeekFrom::Start(*read))?;
                let piece = Piece { path: begun.path.clone(), attempt: begun.attempt, stderr };
                *read += logs.write(&piece, BufReader::new(file), open)?;
            }
        }
        logs.flush()?;
        Ok(())
    }
}
