//! Sources and sinks of pipelines that are nothing else: tables, files by pattern, folders that are watched, time.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use crate::lang::ends::{self, End};
use crate::lang::fault::Fault;
use crate::plan::Format;

const CSV: Format = Format::Csv { header: true, delimiter: ',' };

#[export_module]
pub mod functions {
    /// A table of comma-separated values, as the source or the sink of a pipeline.
    ///
    /// Read, each row is an item: a map by the names in the first row, whose values are texts. A row that has more or fewer fields than the first is an item that fails. Written, the first item's keys
    /// become the first row. A map instead of the path says which program is read, or written to.
    ///
    /// - `path` (text): the file, relative to where the pipeline runs; results of steps may stand in it. `"-"`: what flow reads
    /// - `program` (map): the program: `sh` or `exec`
    ///
    /// ```rhai
    /// pipeline("totals")
    ///     .from(csv("sales.csv", #{ delimiter: ";" }))
    ///     .stage("total", |row| #{ name: row.name, total: row.price.parse_float() * row.count.parse_int() })
    ///     .to(csv("totals.csv"));
    /// ```
    ///
    /// In Nextflow: `splitCsv`. In a shell: `awk -F,`.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `lines`, `ndjson`, `.from`, `.to`, `pipeline`
    #[rhai_fn(name = "csv", return_raw)]
    pub fn csv_with(context: NativeCallContext, path: Dynamic, options: Map) -> Result<End, Fault> {
        ends::file_or_program(&context, CSV, &path, Some(&options))
    }

    /// A table of comma-separated values whose first row names its columns.
    ///
    /// ```rhai
    /// pipeline("names").from(csv("people.csv")).stage("name", |row| row.name);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn csv(context: NativeCallContext, path: Dynamic) -> Result<End, Fault> {
        ends::file_or_program(&context, CSV, &path, None)
    }

    /// The paths that match a pattern, as the source of a pipeline: an item for each file, in the order of their names.
    ///
    /// `*` stands for a part of a name, `**` for any number of folders, `?` for a letter. The list is made once, when the pipeline begins; when it goes on after
    /// a crash it is the same.
    ///
    /// - `pattern` (text): the pattern, relative to where the pipeline runs
    ///
    /// ```rhai
    /// pipeline("unpack").from(files("logs/*.gz")).exec("gunzip", ["sh", "-c", "gunzip -k \"$ITEM\""], #{ parallelism: 4 });
    /// ```
    ///
    /// In a shell: `for file in logs/*.gz`. In make: `$(wildcard …)`. In Nextflow: `Channel.fromPath`.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::option`
    /// See: `watch`, `.from`, `each`
    #[rhai_fn(return_raw)]
    pub fn files(context: NativeCallContext, pattern: Dynamic) -> Result<End, Fault> {
        ends::files(&context, &pattern)
    }

    /// The files that come into a folder, or change there, as the source of a pipeline: `#{path, name, size, event}`.
    ///
    /// `event` is `"existing"`, `"new"` or `"changed"`. A file comes when it has not changed for a while (`settle`), so half-written ones do not. It has no end by itself: the
    /// pipeline says `continuous: true`, or how many it takes.
    ///
    /// - `folder` (text): the folder, relative to where the pipeline runs
    ///
    /// ```rhai
    /// pipeline("import")
    ///     .from(watch("inbox", #{ pattern: "*.csv", existing: false }))
    ///     .sh("load", "./load.sh \"$ITEM\"", #{ on_error: "dead_letter" })
    ///     .discard()
    ///     .options(#{ continuous: true });
    /// ```
    ///
    /// In a shell: `inotifywait -m`. In Airflow: a `FileSensor`. In Nextflow: `Channel.watchPath`.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::plan::pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `files`, `interval`, `wait_for`, `.options`
    #[rhai_fn(name = "watch", return_raw)]
    pub fn watch_with(context: NativeCallContext, folder: Dynamic, options: Map) -> Result<End, Fault> {
        ends::watch(&context, &folder, Some(&options))
    }

    /// The files of a folder, those that are there and those that come.
    ///
    /// ```rhai
    /// pipeline("first-ten").from(watch("inbox")).options(#{ take: 10 });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn watch(context: NativeCallContext, folder: Dynamic) -> Result<End, Fault> {
        ends::watch(&context, &folder, None)
    }

    /// A tick each so often, as the source of a pipeline: `#{tick, at}`, the number of the tick from 0 and the time in milliseconds since 1970.
    ///
    /// The first comes at once. It has no end by itself: the pipeline says `continuous: true`, or how many it takes.
    ///
    /// - `every` (duration): the time from one to the next
    ///
    /// ```rhai
    /// pipeline("probe")
    ///     .from(interval("10s"))
    ///     .http("ask", |tick| #{ url: "https://example.org/health" }, #{ on_error: "skip" })
    ///     .discard()
    ///     .options(#{ continuous: true, overflow: "drop_oldest" });
    /// ```
    ///
    /// In a shell: `while sleep 10; do …; done`, or `watch`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::pipeline`
    /// See: `watch`, `wait`, `.options`, `repeat`
    #[rhai_fn(return_raw)]
    pub fn interval(context: NativeCallContext, every: Dynamic) -> Result<End, Fault> {
        ends::interval(&context, &every)
    }
}
