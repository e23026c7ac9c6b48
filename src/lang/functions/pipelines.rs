//! Pipelines: items from a source through stages into a sink.

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};

use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::{alerts, ends, pipeline_text, stages};
use crate::plan::{Sink, StageWork};

/// A stage with a closure.
fn with_closure(
    context: &NativeCallContext,
    step: &Step,
    (method, name): (&str, Option<&str>),
    closure: &FnPtr,
    said: Option<&Map>,
    work: impl FnOnce(crate::plan::Closure) -> StageWork,
) -> Result<Step, Fault> {
    let closure = stages::closure(context, name.unwrap_or(method), &Dynamic::from(closure.clone()))?;
    stages::add(context, step, method, name, work(closure), said)
}

#[export_module]
pub mod functions {
    /// A pipeline: items from a source through stages into a sink. One step, whose output is the array of items that come out, if there is no sink.
    ///
    /// Each stage works on items while the others do: on one at a time, or on several (`parallelism`), on single ones or on batches. Between
    /// the stages are buffers of a bounded size; when one is full, those before it wait (back-pressure), or what `overflow` says happens.
    ///
    /// How far it is, is written down all the time. After a crash, an interruption or a failure `flow resume` goes on behind the last item that is done; none that is done
    /// is processed again, and each is processed at least once. An item that fails fails the pipeline, is left out, or is kept as a
    /// dead letter, as `on_error` of the stage says.
    ///
    /// Properties of the step: `items`, `delivered`, `left_out`, `dead`, `dropped`, the numbers of items that were done with, came out, failed and were left out, were kept as dead
    /// letters, were dropped.
    ///
    /// - `name`: the pipeline's name; or all of it as a text of names, with arrows
    /// - `spec` (map): the whole pipeline as data: see the table below
    /// - `arrows` (text): names of functions of the script: `"source → stage → [one, other] → sink"`
    ///
    /// ```rhai
    /// fn parse(line) { let words = line.split(" "); #{ status: words[0].parse_int(), path: words[1] } }
    /// let logs = pipeline("logs")
    ///     .from(lines("access.log"))
    ///     .stage("parse", |line| parse(line), #{ on_error: "dead_letter", parallelism: 4 })
    ///     .filter(|request| request.status >= 500)
    ///     .to(ndjson("errors.ndjson"));
    /// sh("tell", `echo ${logs.delivered} errors, ${logs.dead} lines could not be read`);
    /// ```
    ///
    /// In a shell: `a | b | c`, for items. In Airflow: nothing is like it. In Nextflow: channels with operators.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::stage`, `flow::plan::pipeline`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::arrow`, `flow::plan::unknown_name`
    /// See: `.from`, `.stage`, `.filter`, `.to`, `.options`, `.alert`, `each`, `|>`
    #[rhai_fn(return_raw)]
    pub fn pipeline(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        match pipeline_text::is_one(name) {
            true => pipeline_text::read(&context, None, name),
            false => stages::new(&context, Some(name)),
        }
    }

    /// A pipeline as a text of names: of functions of the script that take an item, the source first, the sink last. Names in brackets get
    /// each item side by side.
    ///
    /// The source is a function without parameters that gives what `.from` takes, or a step. The sink is a function of one parameter, or one without parameters
    /// that gives what `.to` takes; or `collect`, or `discard`.
    ///
    /// ```rhai
    /// fn numbers() { 0..10 }
    /// fn double(n) { n * 2 }
    /// fn square(n) { n * n }
    /// pipeline("numbers", "numbers → [double, square] → collect");
    /// ```
    #[rhai_fn(name = "pipeline", return_raw)]
    pub fn pipeline_text(context: NativeCallContext, name: &str, arrows: &str) -> Result<Step, Fault> {
        pipeline_text::read(&context, Some(name), arrows)
    }

    /// A pipeline as data.
    ///
    /// ```rhai
    /// pipeline(#{
    ///     name: "sizes",
    ///     source: files("*.toml"),
    ///     stages: [
    ///         #{ name: "size", sh: "wc -c < \"$ITEM\"", parallelism: 2 },
    ///         #{ name: "big", filter: |size| size.parse_int() > 1000 },
    ///     ],
    ///     sink: lines("sizes.txt"),
    ///     buffer_size: 100,
    /// });
    /// ```
    #[rhai_fn(name = "pipeline", return_raw)]
    pub fn pipeline_map(context: NativeCallContext, spec: Map) -> Result<Step, Fault> {
        stages::from_map(&context, &spec)
    }

    /// Where the items of a pipeline come from.
    ///
    /// A list gives its elements, a range its numbers. A step, or a result that is not known yet, gives the elements of its array, or the lines of its text. `lines`, `ndjson` and `csv` read a file, what flow reads (`"-"`),
    /// or a program (`lines(#{ sh: "zcat big.gz" })`); `files` gives paths, `watch` the files that come into a folder, `interval` ticks.
    ///
    /// - `source` (list, range, step, result, or what `lines` and the others give): the source
    ///
    /// ```rhai
    /// let list = sh("list", "ls");
    /// pipeline("names").from(list).stage("loud", |name| name.to_upper());
    /// pipeline("numbers").from(0..1000).filter(|n| n % 7 == 0);
    /// ```
    ///
    /// In Nextflow: `Channel.of`, `Channel.fromPath`.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::not_a_pipeline`, `flow::lang::option`
    /// See: `pipeline`, `lines`, `ndjson`, `csv`, `files`, `watch`, `interval`
    #[rhai_fn(return_raw)]
    pub fn from(context: NativeCallContext, step: Step, source: Dynamic) -> Result<Step, Fault> {
        stages::from(&context, &step, &source)
    }

    /// Where the items of a pipeline go in the end. Without it they are the step's output.
    ///
    /// `lines`, `ndjson` and `csv` write a file, or to a program's standard input (`lines(#{ sh: "gzip > out.gz" })`). A closure is called with each item. An item is done with when it
    /// is there: written, taken, returned.
    ///
    /// - `sink` (closure, or what `lines` and the others give): the sink
    ///
    /// ```rhai
    /// pipeline("squares").from(1..=100).stage("square", |n| n * n).to(lines("squares.txt"));
    /// pipeline("tell").from(["one", "two"]).to(|item| print(item));
    /// ```
    ///
    /// In a shell: `> file`, or `| program`.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::not_a_pipeline`, `flow::lang::closure`
    /// See: `pipeline`, `.discard`, `lines`, `ndjson`, `csv`
    #[rhai_fn(return_raw)]
    pub fn to(context: NativeCallContext, step: Step, sink: Dynamic) -> Result<Step, Fault> {
        let sink = ends::sink(&context, &sink)?;
        stages::to(&context, &step, sink, "to")
    }

    /// The items that come out of a pipeline go nowhere: they are only counted.
    ///
    /// ```rhai
    /// pipeline("ping").from(["a", "b"]).exec("ping", ["./ping.sh"]).discard();
    /// ```
    ///
    /// In a shell: `> /dev/null`.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::not_a_pipeline`
    /// See: `.to`, `pipeline`
    #[rhai_fn(return_raw)]
    pub fn discard(context: NativeCallContext, step: Step) -> Result<Step, Fault> {
        stages::to(&context, &step, Sink::Discard, "discard")
    }

    /// A stage of a pipeline: a closure that is called for each item. What it gives goes on; `()` is left out.
    ///
    /// With `batch_size` it gets arrays of items, and the elements of an array that it gives go on one by one. It runs in flow itself, on several threads with `parallelism`. It can use results of
    /// steps, functions of the script and of modules; it cannot declare steps.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `closure`: gets the item: `|item| …`
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("sums")
    ///     .from(1..=1000)
    ///     .stage("sum", |numbers| numbers.reduce(|sum, n| sum + n, 0), #{ batch_size: 100 });
    /// ```
    ///
    /// In Nextflow: `map`. In a shell: a `while read` loop between two pipes.
    ///
    /// Errors: `flow::lang::stage`, `flow::lang::closure`, `flow::lang::not_a_pipeline`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`
    /// See: `pipeline`, `.filter`, `.flat_map`, `.batch`, `.sh`, `.worker`, `.http`, `.both`
    #[rhai_fn(name = "stage", return_raw)]
    pub fn stage_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        with_closure(&context, &step, ("stage", Some(name)), &closure, Some(&options), StageWork::Map)
    }

    /// A stage of a pipeline: a closure that is called for each item.
    ///
    /// ```rhai
    /// pipeline("loud").from(["a", "b"]).stage("upper", |text| text.to_upper());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stage(context: NativeCallContext, step: Step, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        with_closure(&context, &step, ("stage", Some(name)), &closure, None, StageWork::Map)
    }

    /// A stage of a pipeline without a name of its own.
    ///
    /// ```rhai
    /// pipeline("loud").from(["a", "b"]).stage(|text| text.to_upper());
    /// ```
    #[rhai_fn(name = "stage", return_raw)]
    pub fn stage_nameless(context: NativeCallContext, step: Step, closure: FnPtr) -> Result<Step, Fault> {
        with_closure(&context, &step, ("stage", None), &closure, None, StageWork::Map)
    }

    /// A stage of a pipeline that lets those items through for which the closure is true.
    ///
    /// - `name`: the stage's name; without one it is called `filter`
    /// - `closure`: gets the item, gives true or false: `|item| …`
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("odd").from(1..10).filter("odd", |n| n % 2 == 1, #{ parallelism: 2 });
    /// ```
    ///
    /// In Nextflow: `filter`. In a shell: `grep`.
    ///
    /// Errors: `flow::lang::stage`, `flow::lang::closure`, `flow::lang::not_a_pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `.stage`, `.flat_map`, `pipeline`
    #[rhai_fn(name = "filter", return_raw)]
    pub fn filter_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        with_closure(&context, &step, ("filter", Some(name)), &closure, Some(&options), StageWork::Filter)
    }

    /// A stage with a name that lets some items through.
    ///
    /// ```rhai
    /// pipeline("odd").from(1..10).filter("odd", |n| n % 2 == 1);
    /// ```
    #[rhai_fn(name = "filter", return_raw)]
    pub fn filter_named(context: NativeCallContext, step: Step, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        with_closure(&context, &step, ("filter", Some(name)), &closure, None, StageWork::Filter)
    }

    /// A stage that lets some items through.
    ///
    /// ```rhai
    /// pipeline("odd").from(1..10).filter(|n| n % 2 == 1);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn filter(context: NativeCallContext, step: Step, closure: FnPtr) -> Result<Step, Fault> {
        with_closure(&context, &step, ("filter", None), &closure, None, StageWork::Filter)
    }

    /// A stage of a pipeline that makes several items of one: each element of the array that the closure gives goes on by itself.
    ///
    /// An item is done with when all that was made of it is.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `closure`: gets the item, gives an array: `|item| …`
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("words").from(lines("README.md")).flat_map("words", |line| line.split(" "), #{ parallelism: 2 });
    /// ```
    ///
    /// In Nextflow: `flatMap`. In a shell: `tr ' ' '\n'`.
    ///
    /// Errors: `flow::lang::stage`, `flow::lang::closure`, `flow::lang::not_a_pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `.stage`, `.batch`, `pipeline`
    #[rhai_fn(name = "flat_map", return_raw)]
    pub fn flat_map_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        with_closure(&context, &step, ("flat_map", Some(name)), &closure, Some(&options), StageWork::FlatMap)
    }

    /// A stage of a pipeline that makes several items of one.
    ///
    /// ```rhai
    /// pipeline("words").from(["a b", "c"]).flat_map("words", |line| line.split(" "));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn flat_map(context: NativeCallContext, step: Step, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        with_closure(&context, &step, ("flat_map", Some(name)), &closure, None, StageWork::FlatMap)
    }

    /// A stage of a pipeline that makes one item of several: arrays of so many go on.
    ///
    /// The last one may be smaller; with a time also one that did not become full within it.
    ///
    /// - `size` (number): how many items
    /// - `within` (duration): the longest time until what there is goes on
    ///
    /// ```rhai
    /// pipeline("load").from(lines("rows.txt")).batch(500, "1s").sh("insert", "./insert.sh");
    /// ```
    ///
    /// In Nextflow: `collate`, `buffer`. In a shell: `xargs -n 500`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::not_a_pipeline`
    /// See: `.stage`, `.flat_map`, `pipeline`
    #[rhai_fn(name = "batch", return_raw)]
    pub fn batch_within(context: NativeCallContext, step: Step, size: Dynamic, within: Dynamic) -> Result<Step, Fault> {
        stages::batch(&context, &step, &size, Some(&within))
    }

    /// A stage of a pipeline that makes arrays of so many items.
    ///
    /// ```rhai
    /// pipeline("pairs").from(1..10).batch(2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn batch(context: NativeCallContext, step: Step, size: Dynamic) -> Result<Step, Fault> {
        stages::batch(&context, &step, &size, None)
    }

    /// A stage of a pipeline that runs a shell script for each item, or each batch. What it prints goes on.
    ///
    /// The item is on its standard input and in `$ITEM`: a text as it is, anything else as JSON. With `batch_size` the input has a line for each item. An exit code other than 0 is a failure of the item.
    /// What it prints is read as that of a step: what looks like JSON is JSON, anything else a text without its last newline; `.parse("text")` on the pipeline says otherwise. It is one item;
    /// with `batch_size` a printed array goes on element by element.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `script` (text): the script; results of steps may stand in it
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("thumbnails")
    ///     .from(files("photos/*.jpg"))
    ///     .sh("thumb", "convert \"$ITEM\" -resize 200x \"$ITEM.small.png\"", #{ parallelism: 4, retry: 2, timeout: "1m" })
    ///     .discard();
    /// ```
    ///
    /// In a shell: `xargs -n 1 -P 4 sh -c …`. In GNU parallel: `parallel -j 4`.
    ///
    /// Errors: `flow::plan::shell`, `flow::lang::stage`, `flow::lang::not_a_pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `.exec`, `.worker`, `.stage`, `pipeline`, `sh`
    #[rhai_fn(name = "sh", return_raw)]
    pub fn sh_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        script: Dynamic,
        options: Map,
    ) -> Result<Step, Fault> {
        let work = StageWork::Command(stages::shell(&context, name, &script)?);
        stages::add(&context, &step, "sh", Some(name), work, Some(&options))
    }

    /// A stage of a pipeline that runs a shell script for each item.
    ///
    /// ```rhai
    /// pipeline("sizes").from(files("*.toml")).sh("size", "wc -c < \"$ITEM\"");
    /// ```
    #[rhai_fn(name = "sh", return_raw)]
    pub fn sh_stage(context: NativeCallContext, step: Step, name: &str, script: Dynamic) -> Result<Step, Fault> {
        let work = StageWork::Command(stages::shell(&context, name, &script)?);
        stages::add(&context, &step, "sh", Some(name), work, None)
    }

    /// A stage of a pipeline that runs a program for each item, or each batch, without a shell. What it prints goes on.
    ///
    /// The item is on its standard input and in the environment variable `ITEM`, as for `.sh`, and what it prints is read as there.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `command` (list): the program and its arguments
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("hashes").from(["one", "two"]).exec("hash", ["sha256sum"], #{ parallelism: 2 });
    /// ```
    ///
    /// In a shell: `xargs -n 1`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::stage`, `flow::lang::not_a_pipeline`, `flow::lang::unknown_option`
    /// See: `.sh`, `.worker`, `.stage`, `pipeline`, `exec`
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        command: Array,
        options: Map,
    ) -> Result<Step, Fault> {
        let work = StageWork::Command(stages::exec(&context, name, &command.into())?);
        stages::add(&context, &step, "exec", Some(name), work, Some(&options))
    }

    /// A stage of a pipeline that runs a program for each item.
    ///
    /// ```rhai
    /// pipeline("hashes").from(["one", "two"]).exec("hash", ["sha256sum"]);
    /// ```
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_stage(context: NativeCallContext, step: Step, name: &str, command: Array) -> Result<Step, Fault> {
        let work = StageWork::Command(stages::exec(&context, name, &command.into())?);
        stages::add(&context, &step, "exec", Some(name), work, None)
    }

    /// A stage of a pipeline that is a program which runs as long as the pipeline: each item is written to it as a line of JSON, and the line of JSON that it writes goes on.
    ///
    /// Much faster than a process for each item, and it can hold something: a model, a connection. It must write one line for each line that it reads, in order, and write it out at once.
    /// A line `{"error": "…"}`, a map with this text and nothing else, says that the item failed. With `parallelism` there are several of it. One that ends, or takes longer than `timeout`, is started again.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `command` (text, or list): a shell script, or the program and its arguments
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("scores").from(ndjson("texts.ndjson")).worker("model", "python3 -u score.py", #{ parallelism: 2, timeout: "10s" }).to(ndjson("scores.ndjson"));
    /// ```
    ///
    /// In a shell: a coprocess (`coproc`).
    ///
    /// Errors: `flow::plan::shell`, `flow::lang::stage`, `flow::lang::not_a_pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `.sh`, `.exec`, `.stage`, `pipeline`
    #[rhai_fn(name = "worker", return_raw)]
    pub fn worker_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        command: Dynamic,
        options: Map,
    ) -> Result<Step, Fault> {
        let work = stages::worker(&context, name, &command)?;
        stages::add(&context, &step, "worker", Some(name), work, Some(&options))
    }

    /// A stage of a pipeline that is a program which runs as long as the pipeline.
    ///
    /// ```rhai
    /// pipeline("scores").from(ndjson("texts.ndjson")).worker("model", ["python3", "-u", "score.py"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn worker(context: NativeCallContext, step: Step, name: &str, command: Dynamic) -> Result<Step, Fault> {
        let work = stages::worker(&context, name, &command)?;
        stages::add(&context, &step, "worker", Some(name), work, None)
    }

    /// A stage of a pipeline that makes an HTTP request for each item. The body of the answer goes on, JSON as a value.
    ///
    /// The closure gives the request: a URL, or a map with the keys of `http`. Connections are kept and used again.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `closure`: gets the item, gives the request: `|item| #{ url: … }`
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("send")
    ///     .from(ndjson("orders.ndjson"))
    ///     .http("post", |order| #{ url: "https://example.org/orders", json: order }, #{ parallelism: 8, retry: 3 })
    ///     .to(ndjson("answers.ndjson"));
    /// ```
    ///
    /// In a shell: `xargs -P 8 curl`.
    ///
    /// Errors: `flow::lang::stage`, `flow::lang::closure`, `flow::lang::not_a_pipeline`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `http`, `.stage`, `pipeline`
    #[rhai_fn(name = "http", return_raw)]
    pub fn http_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        with_closure(&context, &step, ("http", Some(name)), &closure, Some(&options), StageWork::Http)
    }

    /// A stage of a pipeline that makes an HTTP request for each item.
    ///
    /// ```rhai
    /// pipeline("ask").from(["a", "b"]).http("get", |name| `https://example.org/${name}`);
    /// ```
    #[rhai_fn(name = "http", return_raw)]
    pub fn http_stage(context: NativeCallContext, step: Step, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        with_closure(&context, &step, ("http", Some(name)), &closure, None, StageWork::Http)
    }

    /// A stage of a pipeline that runs another workflow for each item. What its script returns goes on.
    ///
    /// Each is a run of its own, with a log of its own. Without a closure the item is a map of the parameters.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `file`: a script below this script's folder
    /// - `args` (closure): gets the item, gives the parameters as a map: `|item| #{ id: item }`
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai,no_run
    /// pipeline("tests").from(["fast", "slow"]).workflow("test", "ci/test.rhai", |suite| #{ suite: suite }, #{ parallelism: 2 });
    /// ```
    ///
    /// In GitHub Actions: a matrix over a reusable workflow. In Airflow: `TriggerDagRunOperator`, mapped.
    ///
    /// Errors: `flow::file::missing`, `flow::lang::import_outside`, `flow::lang::stage`, `flow::lang::closure`, `flow::lang::not_a_pipeline`
    /// See: `workflow`, `.stage`, `pipeline`
    #[rhai_fn(name = "workflow", return_raw)]
    pub fn workflow_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        file: Dynamic,
        args: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        let work = stages::workflow(&context, name, &file, Some(&Dynamic::from(args)))?;
        stages::add(&context, &step, "workflow", Some(name), work, Some(&options))
    }

    /// A stage of a pipeline that runs another workflow for each item.
    ///
    /// ```rhai,no_run
    /// pipeline("tests").from(["fast", "slow"]).workflow("test", "ci/test.rhai", |suite| #{ suite: suite });
    /// ```
    #[rhai_fn(name = "workflow", return_raw)]
    pub fn workflow_args(
        context: NativeCallContext,
        step: Step,
        name: &str,
        file: Dynamic,
        args: FnPtr,
    ) -> Result<Step, Fault> {
        let work = stages::workflow(&context, name, &file, Some(&Dynamic::from(args)))?;
        stages::add(&context, &step, "workflow", Some(name), work, None)
    }

    /// A stage of a pipeline that runs another workflow for each item, which is a map of its parameters.
    ///
    /// ```rhai,no_run
    /// pipeline("tests").from([#{ suite: "fast" }]).workflow("test", "ci/test.rhai", #{ parallelism: 2 });
    /// ```
    #[rhai_fn(name = "workflow", return_raw)]
    pub fn workflow_options(
        context: NativeCallContext,
        step: Step,
        name: &str,
        file: Dynamic,
        options: Map,
    ) -> Result<Step, Fault> {
        let work = stages::workflow(&context, name, &file, None)?;
        stages::add(&context, &step, "workflow", Some(name), work, Some(&options))
    }

    /// A stage of a pipeline that runs another workflow for each item, which is a map of its parameters.
    ///
    /// ```rhai,no_run
    /// pipeline("tests").from([#{ suite: "fast" }]).workflow("test", "ci/test.rhai");
    /// ```
    #[rhai_fn(name = "workflow", return_raw)]
    pub fn workflow_stage(context: NativeCallContext, step: Step, name: &str, file: Dynamic) -> Result<Step, Fault> {
        let work = stages::workflow(&context, name, &file, None)?;
        stages::add(&context, &step, "workflow", Some(name), work, None)
    }

    /// A stage of a pipeline that gives each item to several closures. What they give goes on as an array, in their order.
    ///
    /// - `name`: the stage's name: letters, digits, `-`, `_` and `.`; each once in a pipeline
    /// - `closures` (list): the closures, each of which gets the item
    /// - `options` (map): what else is said of the stage: see the table below
    ///
    /// ```rhai
    /// pipeline("figures").from([[1, 2], [3, 4]]).both("two", [|pair| pair[0] + pair[1], |pair| pair[0] * pair[1]], #{ parallelism: 2 });
    /// ```
    ///
    /// In a shell: `tee`, with a process for each.
    ///
    /// Errors: `flow::lang::pipeline`, `flow::lang::closure`, `flow::lang::stage`, `flow::lang::not_a_pipeline`
    /// See: `.stage`, `.flat_map`, `pipeline`
    #[rhai_fn(name = "both", return_raw)]
    pub fn both_with(
        context: NativeCallContext,
        step: Step,
        name: &str,
        closures: Array,
        options: Map,
    ) -> Result<Step, Fault> {
        let work = stages::each(&context, name, &closures)?;
        stages::add(&context, &step, "both", Some(name), work, Some(&options))
    }

    /// A stage of a pipeline that gives each item to several closures.
    ///
    /// ```rhai
    /// pipeline("figures").from([1, 2]).both("two", [|n| n + 1, |n| n * 2]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn both(context: NativeCallContext, step: Step, name: &str, closures: Array) -> Result<Step, Fault> {
        let work = stages::each(&context, name, &closures)?;
        stages::add(&context, &step, "both", Some(name), work, None)
    }

    /// What holds for a whole pipeline: its buffers, when it ends, what a failed item means.
    ///
    /// - `options` (map): see the table below
    ///
    /// ```rhai
    /// pipeline("first").from(lines("big.txt")).stage("upper", |line| line.to_upper()).options(#{ take: 1000, buffer_size: 100, on_error: "skip" });
    /// ```
    ///
    /// In a shell: `head -n 1000`, `stdbuf`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`, `flow::lang::not_a_pipeline`, `flow::plan::pipeline`
    /// See: `pipeline`, `.stage`, `interval`, `watch`
    #[rhai_fn(return_raw)]
    pub fn options(context: NativeCallContext, step: Step, options: Map) -> Result<Step, Fault> {
        stages::options(&context, &step, &options)
    }

    /// Watches a stream or a pipeline while it runs: when a figure is out of bounds, it is told, and a step can run.
    ///
    /// The figures are those of the last seconds. An alert is raised when its figure has been out of bounds for as long as `for` says, and again when it was within them meanwhile; the step runs once, beside the
    /// other.
    ///
    /// - `alert` (map): see the table below
    ///
    /// ```rhai
    /// let page = sh("page", "./page.sh");
    /// pipeline("import")
    ///     .from(lines("rows.txt"))
    ///     .stage("parse", |row| row.parse_int(), #{ on_error: "skip" })
    ///     .alert(#{ metric: "error_rate", above: 0.1, for: "30s", stage: "parse", severity: "critical", do: page });
    /// ```
    ///
    /// In Airflow: an SLA miss callback. In Prometheus: an alerting rule.
    ///
    /// Errors: `flow::plan::alert`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`
    /// See: `alert`, `pipeline`, `|>`, `.on_failure`
    #[rhai_fn(name = "alert", return_raw)]
    pub fn alert_of(context: NativeCallContext, step: Step, alert: Dynamic) -> Result<Step, Fault> {
        alerts::add(&context, &step, &alert)
    }

    /// Watches a stream or a pipeline while it runs: the same as `.alert`, with `of` for what is watched.
    ///
    /// - `alert` (map): as for `.alert`, and `of`: the stream or the pipeline
    ///
    /// ```rhai
    /// let copy = pipeline("copy").from(lines("in.txt")).to(lines("out.txt"));
    /// alert(#{ of: copy, metric: "throughput", below: 10, for: "1m", do: sh("page", "./page.sh") });
    /// ```
    ///
    /// In Prometheus: an alerting rule.
    ///
    /// Errors: `flow::plan::alert`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`
    /// See: `.alert`, `pipeline`, `|>`
    #[rhai_fn(return_raw)]
    pub fn alert(context: NativeCallContext, alert: Map) -> Result<Step, Fault> {
        alerts::of(&context, &alert)
    }
}
