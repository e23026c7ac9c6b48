//! `flow template list | show NAME | use NAME`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::options::short_path;
use super::{Done, out};
use crate::diag::Result;
use crate::flow::assist::{Colour, Document};
use crate::flow::{Template, template, templates, write};
use crate::view::{self, Look, TemplateLine, Tone};

/// Ready workflows to begin with: list them, read one, make one your own
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow template list
  flow template show blue-green               the script
  flow template show blue-green --params      what can be set without changing it
  flow template use blue-green                writes blue-green.rhai, which is yours from then on
  flow template use ci-rust -o ci.rhai
  flow new shop --template blue-green         a whole project that begins with it")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List the templates
    List {
        /// Print them as data
        #[arg(long)]
        json: bool,
    },
    /// Print a template, or its parameters
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Only the parameters, with their types and defaults
        #[arg(long)]
        params: bool,
        /// Print it as data
        #[arg(long)]
        json: bool,
    },
    /// Write a template into a file of your own
    Use {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// The file, or the folder for it, or `-` for standard output. Default: NAME.rhai here
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
}

impl Args {
    pub fn run(self) -> Done {
        match self.what {
            What::List { json } => list(json),
            What::Show { name, params, json } => show(template(&name)?, params, json),
            What::Use { name, output, force } => take(template(&name)?, output, force),
        }
    }

    /// Are diagnostics to be data too?
    pub fn json(&self) -> bool {
        matches!(self.what, What::List { json: true } | What::Show { json: true, .. })
    }
}

fn list(as_data: bool) -> Done {
    let lines = templates().into_iter().map(|template| {
        let (name, summary) = (template.name.to_owned(), template.summary());
        Ok(TemplateLine { name, summary, parameters: template.parameters()?.len() })
    });
    let lines: Vec<TemplateLine> = lines.collect::<Result<_>>()?;
    if as_data {
        let data = lines
            .iter()
            .map(|line| json!({ "name": line.name, "summary": line.summary, "parameters": line.parameters }));
        out::print(&format!("{}\n", serde_json::Value::Array(data.collect())))?;
    } else {
        out::print(&view::templates(&lines, out::results_look()))?;
        out::tell("\nread one: flow template show NAME\nmake it your own: flow template use NAME\n");
    }
    Ok(0)
}

fn show(template: Template, params: bool, as_data: bool) -> Done {
    if as_data {
        let parameters: Vec<_> = template.parameters()?.iter().map(parameter).collect();
        let (name, summary, text) = (template.name, template.summary(), template.text);
        let data = match params {
            true => json!(parameters),
            false => json!({ "name": name, "summary": summary, "parameters": parameters, "text": text }),
        };
        out::print(&format!("{data}\n"))?;
    } else if params {
        let file = format!("{}.rhai", template.name);
        out::print(&view::parameters(&file, &template.parameters()?, out::results_look()))?;
    } else {
        out::print(&coloured(template.text, out::results_look()))?;
    }
    Ok(0)
}

/// A script with colours, where there are some. A colour ends with its line.
fn coloured(text: &str, look: Look) -> String {
    let mut painted = String::with_capacity(text.len());
    let mut done = 0;
    for (range, colour) in Document::new(text).colours().into_iter().filter(|_| look.color) {
        let tone = match colour {
            Colour::Comment => Tone::Faint,
            Colour::Text => Tone::Good,
            Colour::Number => Tone::Warn,
            Colour::Keyword | Colour::Function => Tone::Busy,
            Colour::Step => Tone::Strong,
            Colour::Operator => continue,
        };
        if range.start < done {
            continue;
        }
        painted.push_str(&text[done..range.start]);
        let lines: Vec<_> = text[range.clone()].split('\n').map(|line| look.paint(tone, line)).collect();
        painted.push_str(&lines.join("\n"));
        done = range.end;
    }
    painted.push_str(&text[done..]);
    painted
}

/// A parameter as data: as in a plan, but without the value and the place, which belong to a run and a file.
fn parameter(param: &crate::plan::Param) -> serde_json::Value {
    let mut data = json!(param);
    if let Some(fields) = data.as_object_mut() {
        fields.shift_remove("value");
        fields.shift_remove("span");
        // As it is called in a script.
        let kind = fields.shift_remove("kind");
        fields.extend(kind.map(|kind| ("type".to_owned(), kind)));
    }
    data
}

fn take(template: Template, output: Option<PathBuf>, force: bool) -> Done {
    let own = format!("{}.rhai", template.name);
    let file = match output {
        Some(path) if path == Path::new("-") => {
            out::print(template.text)?;
            return Ok(0);
        }
        Some(path) if path.is_dir() => path.join(&own),
        Some(path) => path,
        None => PathBuf::from(&own),
    };
    let name = file.file_name().map_or_else(|| own.clone(), |name| name.to_string_lossy().into_owned());
    let text = template.script_for(&name);
    write(&file, text.as_bytes(), force).map_err(|problem| match problem.code() {
        "flow::file::exists" => problem.help("`--force` writes over it; `-o FILE` writes another file"),
        _ => problem,
    })?;
    let file = short_path(&file);
    let needed = template.parameters()?.into_iter().filter(|param| param.default.is_none());
    let needed: String = needed.map(|param| format!(" --arg {}=…", param.name)).collect();
    let file = shown(&file);
    let next = [
        (format!("flow script {file} --help"), "its parameters"),
        (format!("flow plan {file}{needed}"), "what it would do"),
        (format!("flow script {file}{needed}"), "run it"),
    ];
    let width = next.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let next: String = next.iter().map(|(command, what)| format!("  {command:width$}  {what}\n")).collect();
    out::print(&format!("wrote {file}: {}\n\nnext:\n{next}", template.summary()))?;
    Ok(0)
}

/// A path as it is typed in a shell.
pub fn shown(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%".contains(c);
    match !path.is_empty() && !path.starts_with('-') && path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_no_letter() {
        let look = Look { color: true, ..Look::PLAIN };
        for template in templates() {
            let painted = coloured(template.text, look);
            let parts: Vec<_> = painted.split("\u{1b}[").collect();
            let bare: String = parts
                .iter()
                .enumerate()
                .map(|(n, part)| match n {
                    0 => part,
                    _ => part.split_once('m').map_or("", |(_, rest)| rest),
                })
                .collect();
            assert!(parts.len() > 100, "{}", template.name);
            assert_eq!(bare, template.text);
            assert_eq!(coloured(template.text, Look::PLAIN), template.text);
        }
    }

    #[test]
    fn paths_are_shown_as_they_are_typed() {
        assert_eq!(
            (shown("a/b.rhai"), shown("it's"), shown("-x")),
            ("a/b.rhai".into(), r"'it'\''s'".into(), "'-x'".into())
        );
    }
}
