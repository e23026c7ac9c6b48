//! The words of the command that is being read, as far as quoting depends on them.

use super::super::expression::Error;
use super::document::Here;
use super::program;
use super::word::Word;

/// How a list of commands ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closer {
    /// With the script.
    End,
    /// With a `)`.
    Parenthesis(Opening),
    /// With a backquote.
    Backquote,
}

/// What a `(` belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// `(`: a group of commands.
    Group,
    /// `a=(`: a list of words.
    Array,
    /// `$(`: what they print is a part of a word.
    Substitution,
    /// `<(`, `>(`: the word is a file with it.
    File,
}

/// A list of commands: the script, or the inside of `$(…)`, `` `…` ``, `(…)`.
#[derive(Clone, Debug)]
pub(super) struct Commands {
    pub closer: Closer,
    /// The word being read.
    pub word: Word,
    /// The words before it, of the same simple command.
    pub words: Vec<Word>,
    /// Here-documents that begin with the next line.
    pub documents: Vec<Here>,
    /// The last character outside of quotes.
    pub last: char,
    /// Is the next word the target of a redirection?
    redirected: bool,
    /// And is that its input itself, `<<<`?
    here_string: bool,
    /// Open `case`s, in which a `)` ends a pattern.
    cases: u32,
    /// In `[[ … ]]`: are numbers compared, is there a value?
    conditional: Option<(bool, bool)>,
    /// How many of `documents` belong to earlier pipelines.
    judged: usize,
    /// Is there a value in the command, in the commands of the pipeline before it, in any? What is in a command may be
    /// printed by it, if only in a message.
    in_command: bool,
    piped_in: bool,
    anywhere: bool,
    /// Has a `|` come, and nothing behind it yet?
    open_pipe: bool,
}

impl Commands {
    pub fn new(closer: Closer) -> Self {
        Commands {
            closer,
            word: Word::default(),
            words: Vec::new(),
            documents: Vec::new(),
            last: '\n',
            redirected: false,
            here_string: false,
            cases: 0,
            conditional: None,
            judged: 0,
            in_command: false,
            piped_in: false,
            anywhere: false,
            open_pipe: false,
        }
    }

    /// A character of the current word.
    pub fn push(&mut self, c: char, quoted: bool) {
        self.word.begun = true;
        self.word.certain = true;
        self.word.quoted |= quoted;
        self.word.text.push(c);
    }

    /// Something in the current word that is not known now.
    pub fn push_unknown(&mut self) {
        self.word.begun = true;
        self.word.quoted = true;
        self.word.expands = true;
    }

    /// Quotes begin in the current word.
    pub fn push_quotes(&mut self) {
        self.word.begun = true;
        self.word.quoted = true;
        self.word.certain = true;
    }

    /// May a value stand in the current word?
    pub fn check_value(&mut self) -> Result<(), Error> {
        if let Some((arithmetic, value)) = &mut self.conditional {
            *value = true;
            if *arithmetic {
                return Err(compared());
            }
        }
        if self.word.is_open_index() && self.words.iter().all(Word::is_assignment) {
            return Err(super::value::calculated("the index of an array"));
        }
        self.in_command = true;
        self.anywhere = true;
        if self.redirected {
            let reads = program::reads_input_as_code(&self.words).filter(|_| self.here_string);
            return reads.map_or(Ok(()), |program| Err(input_is_code(&program)));
        }
        if let Some((program, help)) = program::reads_as_code(&self.words, &self.word) {
            return Err(
                Error::new(format!("`{program}` reads this as code, so a value in it could run commands")).help(help)
            );
        }
        Ok(())
    }

    /// May what is printed with the value in it be the current word?
    pub fn check_printed(&self) -> Result<(), Error> {
        if self.word.certain || !program::is_own_word(&self.words) {
            return Ok(());
        }
        Err(Error::new("what is printed here is run as a command, and by that a value could run any")
            .help("call the command itself; in quotes, `\"$(…)\"`, what is printed is one word and only the name of a program"))
    }

    /// May a file with the value in it be the current word?
    pub fn check_file(&mut self) -> Result<(), Error> {
        self.in_command = true;
        self.anywhere = true;
        program::runs_file(&self.words).map_or(Ok(()), |program| Err(input_is_code(&program)))
    }

    /// Does the command print the current word?
    pub fn prints(&self) -> bool {
        !self.redirected && program::prints(&self.words)
    }

    /// The current word is at its end.
    pub fn end_word(&mut self) -> Result<(), Error> {
        let word = std::mem::take(&mut self.word);
        if !word.begun || std::mem::take(&mut self.redirected) {
            return Ok(());
        }
        if let (Some((arithmetic, value)), false) = (&mut self.conditional, word.quoted) {
            match word.text.as_str() {
                "]]" => self.conditional = None,
                "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-v" | "-R" => {
                    *arithmetic = true;
                    if *value {
                        return Err(compared());
                    }
                }
                _ => {}
            }
        }
        let first = self.words.is_empty() && !word.quoted;
        match word.text.as_str() {
            "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "!" | "time" | "coproc" if first => {}
            // What was printed within may go on.
            "fi" | "done" | "}" if first => self.end_group(self.anywhere),
            "{" if !word.quoted => self.words.clear(),
            "esac" if first => {
                self.cases = self.cases.saturating_sub(1);
                self.end_group(self.anywhere);
            }
            "in" if !word.quoted && self.words.len() == 2 && self.words[0].text == "case" => {
                self.cases += 1;
                self.words.clear();
            }
            "[[" if first => {
                self.conditional = Some((false, false));
                self.words.push(word);
            }
            _ => self.words.push(word),
        }
        Ok(())
    }

    /// The current command is at its end; `piped` if the next one reads its output.
    pub fn end_command(&mut self, piped: bool) -> Result<(), Error> {
        self.end_word()?;
        // Within `[[ … ]]` as well, since shells without that see a new command here.
        if self.words.is_empty() {
            // A line break behind `|` ends nothing.
            self.piped_in &= piped || self.open_pipe;
            self.open_pipe |= piped;
            return Ok(());
        }
        if let Some(program) = program::reads_input_as_code(&self.words) {
            if self.piped_in {
                return Err(input_is_code(&program));
            }
            self.documents[self.judged..].iter_mut().for_each(|here| here.code_for = Some(program.clone()));
        }
        self.open_pipe = piped;
        self.piped_in = piped && (self.piped_in || self.in_command);
        self.in_command = false;
        if !piped {
            self.judged = self.documents.len();
        }
        self.words.clear();
        self.redirected = false;
        Ok(())
    }

    /// What stood in parentheses or braces is at its end, and its output may go on.
    pub fn end_group(&mut self, has_value: bool) {
        self.words.clear();
        self.piped_in |= has_value;
        self.open_pipe = false;
    }

    /// Is there a value in one of the commands?
    pub fn has_value(&self) -> bool {
        self.anywhere
    }

    /// The list of commands of a group here: it reads what this one would.
    pub fn group(&self, closer: Closer) -> Commands {
        Commands { piped_in: self.piped_in, ..Commands::new(closer) }
    }

    /// A redirection: a number before it is no word, the next word is its target.
    pub fn redirect(&mut self, here_string: bool) -> Result<(), Error> {
        if !self.word.quoted && !self.word.text.is_empty() && self.word.text.bytes().all(|b| b.is_ascii_digit()) {
            self.word = Word::default();
        }
        self.end_word()?;
        self.redirected = true;
        self.here_string = here_string;
        Ok(())
    }

    /// What cannot stand in `[[ … ]]` has come: it was none.
    pub fn end_conditional(&mut self) {
        self.conditional = None;
    }

    /// Are we in `[[ … ]]`, where `(`, `<`, `&&` are no syntax of commands?
    pub fn in_conditional(&self) -> bool {
        self.conditional.is_some()
    }

    /// A `)`: does it end a pattern of a `case`?
    pub fn ends_pattern(&self) -> bool {
        self.cases > 0
    }

    /// Could a `((` here be arithmetic?
    pub fn begins_arithmetic(&self) -> bool {
        !self.word.begun && (self.words.is_empty() || self.words.len() == 1 && self.words[0].text == "for")
    }

    /// Takes the here-documents whose bodies come now.
    pub fn take_documents(&mut self) -> Vec<Here> {
        self.judged = 0;
        std::mem::take(&mut self.documents)
    }
}

fn compared() -> Error {
    super::value::calculated("a comparison of numbers in `[[ … ]]`")
        .help("`[ … -eq … ]` only reads numbers: use single brackets, or make it a condition of the flow")
}

/// What is said when a program would run what it reads.
pub(super) fn input_is_code(program: &str) -> Error {
    Error::new(format!("`{program}` runs what it reads here, so a value in it could run commands")).help(
        "write the script without the value and give the value as an argument: `sh -s -- ${build.output} <<'EOF'`",
    )
}
