//! The files that come into a folder, or change there. Each is told once for each change, when it has settled.
//!
//! What the system tells only says where to look: what counts is how a file looks then, compared with how it looked when
//! it was told last. So nothing is lost when there is too much to tell, nor while nobody watches; and what was told is
//! in the spool, with the look that it had.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, unbounded};
use glob::Pattern;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::pull::mark_of;
use super::spool::{Entry, Spool};
use super::{Mark, Next, Opening, Source, Sourced, Stop};
use crate::event::{Failure, FailureKind};
use crate::exec::cache::MATCH;
use crate::plan::Json;
use crate::state::result::plain_text;

/// How often one looks whether the folder is still there: that it is unmounted, nobody tells.
const LOOK: Duration = Duration::from_secs(1);

/// See the module's page.
pub(super) struct Watch {
    /// As the user named it.
    name: String,
    folder: PathBuf,
    /// Which folder it was at the beginning.
    identity: (u64, u64),
    pattern: Option<Pattern>,
    settle: Duration,
    /// Ends what it does when it is dropped.
    _watcher: RecommendedWatcher,
    news: Receiver<News>,
    /// How files looked when they were told.
    known: HashMap<String, Look>,
    /// Those that have changed since, in the order of their names: how they look, since when.
    open: BTreeMap<String, (Look, Instant)>,
    spool: Spool,
    offset: u64,
    stop: Arc<Stop>,
    looked: Instant,
}

/// What was told by the system.
enum News {
    /// Something happened to this file.
    Of(String),
    /// Anything may have happened.
    Any,
    /// Nothing: it is time to look whether to stop.
    Stop,
}

/// How a file looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    modified_ns: i64,
    size: u64,
    inode: u64,
}

impl Look {
    /// That of a file which was there at the beginning and is to be told: no file has it.
    const UNTOLD: Look = Look { modified_ns: 0, size: 0, inode: 0 };

    fn of(metadata: &Metadata) -> Self {
        let ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Look { modified_ns: ns, size: metadata.size(), inode: metadata.ino() }
    }

    /// How long it has not changed, by the clock.
    fn age(self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let age = now.saturating_sub(u128::try_from(self.modified_ns).unwrap_or(0));
        Duration::from_nanos(u64::try_from(age).unwrap_or(u64::MAX))
    }
}

/// What is to be watched.
pub(super) struct Wish<'a> {
    pub folder: &'a Json,
    pub pattern: Option<&'a str>,
    pub existing: bool,
    pub settle_ms: u64,
}

impl Watch {
    pub fn open(wish: &Wish, at: &Opening, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let name = plain_text(wish.folder);
        let folder = at.job.cwd()?.join(&name);
        let pattern = wish.pattern.map(Pattern::new).transpose().map_err(|error| {
            let shown = wish.pattern.unwrap_or_default();
            Failure::new(FailureKind::Input, format!("`{shown}` is not a pattern of names: {}", error.msg))
                .help("`*.csv` means all names that end so, `?` stands for one character")
        })?;
        let identity = identity(&folder).map_err(|error| gone(&name, &error))?;
        let (tell, news) = unbounded();
        let wake = tell.clone();
        // Nobody listens any more when it is over.
        stop.when_set(move || drop(wake.send(News::Stop)));
        let watched = folder.clone();
        let tell = move |event: notify::Result<notify::Event>| {
            let event = match event {
                Ok(event) if !event.need_rescan() => event,
                _ => return drop(tell.send(News::Any)),
            };
            for path in event.paths {
                let of = match path.file_name().and_then(|name| name.to_str()) {
                    Some(name) if path != watched => News::Of(name.to_owned()),
                    _ => News::Any,
                };
                let _ = tell.send(of);
            }
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(|error| unwatched(&name, &error))?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(|error| unwatched(&name, &error))?;
        let known: HashMap<String, Look> = Spool::entries(&Spool::path_of(at))
            .flat_map(|entry| serde_json::from_value::<Vec<(String, Look)>>(entry.seen).unwrap_or_default())
            .collect();
        let spool = Spool::open(at, mark_of(at.reached).from)?;
        let is_new = spool.is_empty();
        let mut watch = Watch {
            name,
            folder,
            identity,
            pattern,
            settle: Duration::from_millis(wish.settle_ms),
            _watcher: watcher,
            news,
            known,
            open: BTreeMap::new(),
            spool,
            offset: at.reached.upto,
            stop: stop.clone(),
            looked: Instant::now(),
        };
        if is_new {
            // From now on it is known what was there before.
            watch.known = watch.files()?;
            if wish.existing {
                watch.known.values_mut().for_each(|look| *look = Look::UNTOLD);
            }
            let seen: Vec<_> = watch.known.iter().collect();
            watch.spool.add(&Entry { seen: json!(seen), ..Entry::default() })?;
            watch.spool.flush()?;
        }
        watch.rescan()?;
        Ok(watch)
    }

    fn is_meant(&self, name: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.matches_with(name, MATCH),
            None => !name.starts_with('.'),
        }
    }

    /// All files that are meant, with how they look.
    fn files(&self) -> Result<HashMap<String, Look>, Failure> {
        let entries = fs::read_dir(&self.folder).map_err(|error| gone(&self.name, &error))?;
        let look = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok().filter(|name| self.is_meant(name))?;
            let metadata = fs::metadata(entry.path()).ok().filter(Metadata::is_file)?;
            Some((name, Look::of(&metadata)))
        };
        Ok(entries.filter_map(look).collect())
    }

    fn rescan(&mut self) -> Result<(), Failure> {
        let files = self.files()?;
        self.known.retain(|name, _| files.contains_key(name));
        self.open.retain(|name, _| files.contains_key(name));
        for (name, look) in files {
            self.saw(name, look);
        }
        Ok(())
    }

    /// Looks at a file to which something happened.
    fn look(&mut self, name: String) {
        if !self.is_meant(&name) {
            return;
        }
        match fs::metadata(self.folder.join(&name)) {
            Ok(metadata) if metadata.is_file() => self.saw(name, Look::of(&metadata)),
            Ok(_) => {}
            Err(_) => {
                self.known.remove(&name);
                self.open.remove(&name);
            }
        }
    }

    fn saw(&mut self, name: String, look: Look) {
        if self.known.get(&name) == Some(&look) {
            self.open.remove(&name);
        } else if self.open.get(&name).is_none_or(|(before, _)| *before != look) {
            self.open.insert(name, (look, Instant::now()));
        }
    }

    /// When the next file may have settled.
    fn due(&self) -> Option<Instant> {
        self.open.values().map(|(look, since)| *since + self.settle.saturating_sub(look.age())).min()
    }

    /// Tells of the files that have settled.
    fn tell(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<(), Failure> {
        let settled = |(look, since): &(Look, Instant)| since.elapsed().max(look.age()) >= self.settle;
        let due: Vec<String> = self
            .open
            .iter()
            .filter(|(_, open)| settled(open))
            .map(|(name, _)| name.clone())
            .take(most.max(1))
            .collect();
        for name in due {
            let before = self.open.get(&name).map(|(look, _)| *look);
            self.look(name.clone());
            let Some((look, _)) = self.open.get(&name).copied().filter(|(look, _)| Some(*look) == before) else {
                continue;
            };
            self.open.remove(&name);
            let event = match self.known.insert(name.clone(), look) {
                None => "new",
                Some(Look::UNTOLD) => "existing",
                Some(_) => "changed",
            };
            let path = PathBuf::from(&self.name).join(&name);
            let item = json!({ "path": path.display().to_string(), "name": name, "size": look.size, "event": event });
            let entry = Entry { item: vec![item], seen: json!([(name, look)]), ..Entry::default() };
            let from = self.spool.add(&entry)?;
            into.extend(entry.sourced(from, self.offset));
            self.offset += 1;
        }
        self.spool.flush()
    }

    /// Is it still the same folder?
    fn check(&mut self) -> Result<(), Failure> {
        self.looked = Instant::now();
        match identity(&self.folder) {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err(gone(&self.name, &io::Error::other("another one is in its place"))),
            Err(error) => Err(gone(&self.name, &error)),
        }
    }
}

impl Source for Watch {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let before = into.len();
        while into.len() - before < most
            && let Some((from, entry)) = self.spool.next()?
        {
            into.extend(entry.sourced(from, self.offset).inspect(|_| self.offset += 1));
        }
        while into.len() == before && !self.stop.is_set() {
            let soon = self.due().map_or(LOOK, |due| due.saturating_duration_since(Instant::now()).min(LOOK));
            let mut all = false;
            let first = self.news.recv_timeout(soon).ok();
            for news in first.into_iter().chain(self.news.try_iter().collect::<Vec<_>>()) {
                match news {
                    News::Of(name) => self.look(name),
                    News::Any => all = true,
                    News::Stop => {}
                }
            }
            if all || self.looked.elapsed() >= LOOK {
                self.check()?;
            }
            if all {
                self.rescan()?;
            }
            self.tell(most, into)?;
        }
        Ok(if into.len() == before { Next::End } else { Next::More })
    }

    fn mark(&self) -> Mark {
        Mark { from: self.spool.at(), place: 0 }
    }
}

/// Which folder it is.
fn identity(folder: &std::path::Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(folder)?;
    match metadata.is_dir() {
        true => Ok((metadata.dev(), metadata.ino())),
        false => Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder")),
    }
}

fn gone(name: &str, error: &io::Error) -> Failure {
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("the folder `{name}`, which is to be watched, is not there"),
        _ => format!("the folder `{name}` cannot be watched any more: {error}"),
    };
    Failure::new(FailureKind::Input, message).help(format!(
        "`mkdir -p {name}` before the run makes it; once it is back, a resume tells of all that has changed meanwhile"
    ))
}

fn unwatched(name: &str, error: &notify::Error) -> Failure {
    Failure::new(FailureKind::Input, format!("the folder `{name}` cannot be watched: {error}"))
        .help("the system watches so many folders and no more: `sysctl fs.inotify` shows how many")
}
