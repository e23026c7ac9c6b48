//! Streams: steps that run at the same time, each reading what those before it write.

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};

use crate::lang::ends::{self, End};
use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::policies::set;
use crate::lang::weave;
use crate::plan::{Format, Reads};

#[export_module]
pub mod functions {
    /// A stream: `a |> b` runs both at the same time, and b reads what a writes while it writes it.
    ///
    /// A list fans out or in: `a |> [b, c]` gives each line to both, `[a, b] |> c` brings whole lines together in the order in which they
    /// come. `a |> b |> c` is one stream of three levels, and one step: its output is that of the last level. Steps that run processes
    /// can stand in it, and closures: `lines(|line| …)`, `ndjson(|value| …)`. It binds tighter than `->`: `x -> a |> b -> c` gives x's output to the stream
    /// `a |> b`, and the stream's to c.
    ///
    /// A slow reader slows the writer; no more than a few buffers are ever held in memory. A reader that ends early, as `head` does, ends those that write
    /// for it alone, and that is a success. A writer that fails fails the stream, and its readers do not take what came for the whole.
    /// All of a stream start together; together they hold one slot of `max_parallel`.
    ///
    /// ```rhai
    /// sh("numbers", "seq 1 100000") |> sh("even", "grep '[02468]$'") |> sh("count", "wc -l");
    /// ```
    ///
    /// In a shell: `a | b | c`, with `pipefail`. In Nextflow: `|`.
    ///
    /// Errors: `flow::plan::stream`, `flow::plan::stream_policy`, `flow::lang::not_a_step`, `flow::lang::already_ran`
    /// See: `stream`, `lines`, `ndjson`, `.ack`, `->`, `pipeline`
    #[rhai_fn(name = "|>", return_raw)]
    pub fn flow_into(context: NativeCallContext, left: Dynamic, right: Dynamic) -> Result<Step, Fault> {
        weave::flow_into(&context, &left, &right)
    }

    /// A stream with a name: steps that run at the same time, each level reading what the one before it writes. The same as `a |> b`, with a
    /// name and options.
    ///
    /// A level is a step, or a list of steps: all of a level write to all of the next one. Where several write, whole lines come together,
    /// in the order of their arrival; where several read, each gets everything.
    ///
    /// What each step writes is kept as its log and its output, up to `tee` bytes. `.timeout`, `.retry`, `.when`, `.fallback` and so on hold for the whole: when it
    /// is tried again, all of it begins again. A step in it can have `.retry`, `.timeout`, `.on_error`, `.env` and `.cwd` of its own: see `.ack` for what
    /// a step that is tried again reads.
    ///
    /// - `name`: the stream's name: part of its steps' paths
    /// - `levels` (list): the levels, in order
    /// - `text` (text): the levels as names of steps: `"a |> [b, c] |> d"`
    ///
    /// ```rhai
    /// stream("words", [
    ///     [sh("readme", "cat README.md"), sh("changes", "cat CHANGELOG.md")],
    ///     sh("split", "tr -cs A-Za-z '\n'"),
    ///     sh("count", "sort | uniq -c | sort -rn | head -5"),
    /// ], #{ merge: "raw" }).timeout("1m");
    /// ```
    ///
    /// In a shell: `{ a & b; wait; } | c`. In Airflow: nothing is like it.
    ///
    /// Errors: `flow::plan::stream`, `flow::plan::stream_policy`, `flow::plan::arrow`, `flow::plan::unknown_name`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`
    /// See: `|>`, `lines`, `ndjson`, `.ack`, `.alert`, `pipeline`
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_with(context: NativeCallContext, name: &str, levels: Array, options: Map) -> Result<Step, Fault> {
        weave::stream(&context, Some(name), &levels, Some(&options))
    }

    /// A stream with a name.
    ///
    /// ```rhai
    /// stream("sorted", [sh("names", "ls"), sh("sort", "sort -r")]);
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_named(context: NativeCallContext, name: &str, levels: Array) -> Result<Step, Fault> {
        weave::stream(&context, Some(name), &levels, None)
    }

    /// A stream without a name of its own, with options.
    ///
    /// ```rhai
    /// stream([sh("log", "dmesg"), [sh("errors", "grep -c error"), sh("all", "wc -l")]], #{ slow: "drop_oldest", buffer: 500 });
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_of(context: NativeCallContext, levels: Array, options: Map) -> Result<Step, Fault> {
        weave::stream(&context, None, &levels, Some(&options))
    }

    /// A stream without a name of its own.
    ///
    /// ```rhai
    /// stream([sh("names", "ls"), sh("sort", "sort -r")]);
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream(context: NativeCallContext, levels: Array) -> Result<Step, Fault> {
        weave::stream(&context, None, &levels, None)
    }

    /// A stream as a text of names of steps: `"a |> [b, c] |> d"`.
    ///
    /// ```rhai
    /// sh("names", "ls");
    /// sh("sort", "sort -r");
    /// stream("names |> sort");
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_text(context: NativeCallContext, text: &str) -> Result<Step, Fault> {
        weave::stream_of_text(&context, None, text, None)
    }

    /// A stream with a name, as a text of names of steps.
    ///
    /// ```rhai
    /// sh("names", "ls");
    /// sh("sort", "sort -r");
    /// stream("sorted", "names |> sort");
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_named_text(context: NativeCallContext, name: &str, text: &str) -> Result<Step, Fault> {
        weave::stream_of_text(&context, Some(name), text, None)
    }

    /// A stream with a name and options, as a text of names of steps.
    ///
    /// ```rhai
    /// sh("names", "ls");
    /// sh("sort", "sort -r");
    /// stream("sorted", "names |> sort", #{ tee: "64 KiB" });
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_text_with(context: NativeCallContext, name: &str, text: &str, options: Map) -> Result<Step, Fault> {
        weave::stream_of_text(&context, Some(name), text, Some(&options))
    }

    /// Lines: a closure that is called for each line of a stream; or the lines of a file, for a `pipeline`.
    ///
    /// In a stream, `a |> lines(|line| …) |> b`: what the closure gives goes on in the place of the line. A text, a number, true or false is a line; a map
    /// is a line of JSON; of an array each element is a line; `()` leaves the line out. It runs in flow itself, without a process.
    ///
    /// As the source of a pipeline each line is an item, a text without its newline; `"-"` is what flow itself reads. As its sink each item is written as a line. A
    /// map says which program is read, or written to: `lines(#{ sh: "zcat big.gz" })`, `lines(#{ exec: ["zcat", file] })`.
    ///
    /// - `closure`: gets the text of each line: `|line| …`
    /// - `path` (text): the file, relative to where the pipeline runs; results of steps may stand in it. `"-"`: what flow reads
    /// - `program` (map): the program: `sh`, a script, or `exec`, a list of the program and its arguments
    ///
    /// ```rhai
    /// sh("log", "cat access.log") |> lines("errors", |line| if line.contains(" 500 ") { line } else { () }, #{ on_error: "skip" }) |> sh("count", "wc -l");
    /// pipeline("copy").from(lines("access.log")).to(lines("copy.log"));
    /// ```
    ///
    /// In a shell: `while read -r line; do …; done`, or `awk`. In Nextflow: `splitText`.
    ///
    /// Errors: `flow::plan::stream`, `flow::lang::closure`, `flow::lang::choice`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::shell`
    /// See: `|>`, `ndjson`, `csv`, `.from`, `.to`, `pipeline`
    #[rhai_fn(name = "lines", return_raw)]
    pub fn lines_named_with(
        context: NativeCallContext,
        name: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        weave::filter(&context, Reads::Lines, Some(name), &closure, Some(&options))
    }

    /// A closure with a name that is called for each line of a stream.
    ///
    /// ```rhai
    /// sh("names", "ls") |> lines("loud", |line| line.to_upper()) |> sh("sort", "sort");
    /// ```
    #[rhai_fn(name = "lines", return_raw)]
    pub fn lines_named(context: NativeCallContext, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        weave::filter(&context, Reads::Lines, Some(name), &closure, None)
    }

    /// A closure that is called for each line of a stream.
    ///
    /// ```rhai
    /// sh("names", "ls") |> lines(|line| if line.ends_with(".md") { line } else { () });
    /// ```
    #[rhai_fn(name = "lines", return_raw)]
    pub fn lines_closure(context: NativeCallContext, closure: FnPtr) -> Result<Step, Fault> {
        weave::filter(&context, Reads::Lines, None, &closure, None)
    }

    /// The lines of a file, or what flow reads, or the output of a program, as source or sink of a pipeline.
    ///
    /// ```rhai
    /// pipeline("busy").from(lines(#{ sh: "zcat access.log.gz" })).filter(|line| line.len() > 100);
    /// ```
    #[rhai_fn(name = "lines", return_raw)]
    pub fn lines(context: NativeCallContext, path: Dynamic) -> Result<End, Fault> {
        ends::file_or_program(&context, Format::Lines, &path, None)
    }

    /// The lines of a file, as a sink that says how it writes.
    ///
    /// ```rhai
    /// pipeline("more").from(["one", "two"]).to(lines("all.txt", #{ append: true }));
    /// ```
    #[rhai_fn(name = "lines", return_raw)]
    pub fn lines_with(context: NativeCallContext, path: Dynamic, options: Map) -> Result<End, Fault> {
        ends::file_or_program(&context, Format::Lines, &path, Some(&options))
    }

    /// JSON values, one a line: a closure that is called for each of a stream; or such a file, for a `pipeline`.
    ///
    /// In a stream, `a |> ndjson(|value| …) |> b`: the closure gets the value on each line, a map for an object; empty lines are passed over. What it gives is written
    /// as `lines` does it.
    ///
    /// As the source of a pipeline each line is an item. As its sink each item is written as a line of JSON. A map says which program is read, or written to.
    ///
    /// - `closure`: gets the value on each line: `|value| …`
    /// - `path` (text): the file, relative to where the pipeline runs; results of steps may stand in it. `"-"`: what flow reads
    ///
    /// ```rhai
    /// sh("events", "cat events.ndjson") |> ndjson("names", |value| value.name, #{ on_error: "skip" }) |> sh("sort", "sort -u");
    /// pipeline("totals").from(ndjson("sales.ndjson")).stage("sum", |sale| sale.price * sale.count).to(ndjson("totals.ndjson"));
    /// ```
    ///
    /// In a shell: `jq -c`. In Nextflow: `splitJson`.
    ///
    /// Errors: `flow::plan::stream`, `flow::lang::closure`, `flow::lang::choice`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::shell`
    /// See: `|>`, `lines`, `csv`, `.from`, `.to`, `pipeline`
    #[rhai_fn(name = "ndjson", return_raw)]
    pub fn ndjson_named_with(
        context: NativeCallContext,
        name: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        weave::filter(&context, Reads::Ndjson, Some(name), &closure, Some(&options))
    }

    /// A closure with a name that is called for each JSON value of a stream.
    ///
    /// ```rhai
    /// sh("events", "cat events.ndjson") |> ndjson("late", |value| if value.ms > 200 { value } else { () });
    /// ```
    #[rhai_fn(name = "ndjson", return_raw)]
    pub fn ndjson_named(context: NativeCallContext, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        weave::filter(&context, Reads::Ndjson, Some(name), &closure, None)
    }

    /// A closure that is called for each JSON value of a stream.
    ///
    /// ```rhai
    /// sh("events", "cat events.ndjson") |> ndjson(|value| value.name) |> sh("sort", "sort -u");
    /// ```
    #[rhai_fn(name = "ndjson", return_raw)]
    pub fn ndjson_closure(context: NativeCallContext, closure: FnPtr) -> Result<Step, Fault> {
        weave::filter(&context, Reads::Ndjson, None, &closure, None)
    }

    /// A file of JSON values, or what flow reads, or the output of a program, as source or sink of a pipeline.
    ///
    /// ```rhai
    /// pipeline("names").from(ndjson("-")).stage("name", |value| value.name).to(lines("names.txt"));
    /// ```
    #[rhai_fn(name = "ndjson", return_raw)]
    pub fn ndjson(context: NativeCallContext, path: Dynamic) -> Result<End, Fault> {
        ends::file_or_program(&context, Format::Ndjson, &path, None)
    }

    /// A file of JSON values, as a sink that says how it writes.
    ///
    /// ```rhai
    /// pipeline("more").from(0..3).to(ndjson("all.ndjson", #{ append: true }));
    /// ```
    #[rhai_fn(name = "ndjson", return_raw)]
    pub fn ndjson_with(context: NativeCallContext, path: Dynamic, options: Map) -> Result<End, Fault> {
        ends::file_or_program(&context, Format::Ndjson, &path, Some(&options))
    }

    /// What a step in a stream has dealt with of what it reads, should it be tried again (see `.retry`).
    ///
    /// `"end"`: all of it at its successful end, and nothing before. A further attempt gets the whole input again, so nothing is lost; what it had
    /// written before it failed has gone on, and may come twice. `"line"`: for a filter that writes one line for each line it reads: with the n-th line
    /// that it writes, the n-th that it read is dealt with. A further attempt gets the lines that were not answered, and each is answered once.
    ///
    /// - `how`: one of these words
    ///
    /// ```rhai
    /// sh("ids", "seq 1 100") |> sh("look-up", "./look-up.sh").retry(3).ack("line") |> sh("store", "cat > found.txt");
    /// ```
    ///
    /// In message queues: an acknowledgement.
    ///
    /// Errors: `flow::lang::choice`, `flow::plan::stream_policy`
    /// See: `|>`, `.retry`, `stream`
    #[rhai_fn(return_raw)]
    pub fn ack(context: NativeCallContext, step: Step, how: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "ack", &how)
    }
}
