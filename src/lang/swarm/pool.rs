//! Pools: how many of each agent work at the same time. A pool is a map: `#{ pool, workers: #{ coder: #{ agent, size, limits } } }`.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use smol_str::{SmolStr, format_smolstr};

use super::member::{self, Member};
use crate::diag::{Diagnostic, did_you_mean};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::{Agent, Step};
use crate::lang::options::{self, Options, count, here, wrong};
use crate::lang::{agents, keys, policies, session, shares};
use crate::plan::{Limit, Scale};

const CODE: &str = "flow::lang::swarm";

/// `pool(name, #{ coder: 5 }, #{…})`
pub fn declare(context: &NativeCallContext, name: &str, workers: &Map, said: &Map) -> Result<Map, Fault> {
    let (span, name) = (here(context), options::name(context, name)?);
    let mut options = Options::named(&keys::POOL, format!("the pool `{name}`"), said, span);
    let own = options.take("agents");
    let own = match &own {
        None => Map::new(),
        Some(value) => value
            .read_lock::<Map>()
            .map(|map| map.clone())
            .ok_or_else(|| wrong("`agents` of pool", "a map of names and agents", value, span))?,
    };
    if workers.is_empty() {
        return Err(raise(
            Diagnostic::new(CODE, format!("the pool `{name}` has no workers"))
                .label(span, "here")
                .help("say how many of each there are: `pool(\"crew\", #{ coder: 5, tester: 3 })`"),
        ));
    }
    if let Some(first) = session::with(|session| session.pools.insert(name.into(), span)) {
        let problem = Diagnostic::new(CODE, format!("there are two pools `{name}`"));
        return Err(raise(
            problem
                .label(span, "declared again here")
                .label(first, "first declared here")
                .help("give one of them another name; or keep the first in a variable, and use that"),
        ));
    }
    let mut total = 0;
    let mut made = Map::new();
    let (min, max) = (options.count("min", 0)?, options.count("max", 1)?);
    let (scale, idle) = (options.text("scale")?, options.time("idle_timeout")?);
    options.done()?;
    let shared = min.is_some() || max.is_some() || scale.is_some() || idle.is_some();
    for (worker, size) in workers {
        let what = format!("`{worker}` of pool");
        let agent = match own.get(worker) {
            Some(agent) => member::one(agent, &what, span)?.agent,
            None => member::named(worker, &what, span)?,
        };
        let size = count(size, &what, 1, span)?;
        total += size;
        let limit = format_smolstr!("{name}.{worker}");
        let mut limits: Array = vec![limit.to_string().into()];
        if shared {
            limits.push(name.to_owned().into());
        }
        session::build(context, |builder, _| {
            builder.header.limits.insert(limit, Limit { max: Some(size), per_minute: None, scale: None });
            Ok(())
        })?;
        let entries: [(&str, Dynamic); 3] =
            [("agent", Dynamic::from(agent)), ("size", i64::from(size).into()), ("limits", limits.into())];
        let entries: Map = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        made.insert(worker.clone(), entries.into());
    }
    if let Some(unused) = own.keys().find(|name| !workers.contains_key(name.as_str())) {
        let known = workers.keys().map(|name| name.as_str());
        let help =
            did_you_mean(unused, known).unwrap_or_else(|| format!("say how many there are: `#{{ {unused}: 2 }}`"));
        let problem = Diagnostic::new(CODE, format!("the pool `{name}` has no workers `{unused}`"));
        return Err(raise(problem.label_word(span, unused.as_str(), "named here").help(help)));
    }
    if shared {
        let (min, max) = (min.unwrap_or(1), max.unwrap_or(total));
        if min > max {
            let problem =
                Diagnostic::new(CODE, format!("the pool `{name}` has at least {min} and at most {max} workers"));
            return Err(raise(problem.label_word(span, "min", "here").help("`min` is not more than `max`")));
        }
        let per = scale.as_deref().map_or(Ok(1), |text| shares::per(text, "a pool", CODE, span))?;
        let scale = Scale { min, max, per, idle_ms: idle.unwrap_or(shares::IDLE_MS) };
        session::build(context, |builder, _| {
            builder.header.limits.insert(name.into(), Limit { max: Some(max), per_minute: None, scale: Some(scale) });
            Ok(())
        })?;
    }
    let entries: [(&str, Dynamic); 2] = [("pool", name.to_owned().into()), ("workers", made.into())];
    Ok(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// The workers of a pool, if the map is one.
pub fn members(map: &Map) -> Option<Vec<Member>> {
    map.get("pool")?;
    let workers = map.get("workers")?.read_lock::<Map>()?;
    workers
        .iter()
        .map(|(name, worker)| {
            let worker = worker.read_lock::<Map>()?;
            let limits =
                worker.get("limits")?.read_lock::<Array>()?.iter().map(|limit| limit.to_string().into()).collect();
            Some(Member {
                name: name.as_str().into(),
                agent: worker.get("agent")?.read_lock::<Agent>()?.clone(),
                size: u32::try_from(worker.get("size")?.as_int().ok()?).ok()?,
                limits,
            })
        })
        .collect()
}

/// `pool.ask(…)`
pub fn ask(
    context: &NativeCallContext,
    pool: &Map,
    worker: Option<&str>,
    prompt: &Dynamic,
    said: &Map,
) -> Result<Step, Fault> {
    let span = here(context);
    let (Some(workers), Some(name)) = (members(pool), pool.get("pool").map(ToString::to_string)) else {
        return Err(raise(
            Diagnostic::new(CODE, "this map is no pool, and no agent either")
                .label(span, "asked here")
                .help("`pool(\"crew\", #{ coder: 5 }).ask(\"coder\", \"…\")`; an agent of a map is asked itself: `team.coder.ask(\"…\")`"),
        ));
    };
    let mut said = said.clone();
    let wanted =
        said.remove("capability").map(|value| options::text(&value, "`capability` of ask", span)).transpose()?;
    let chosen = match (worker, &wanted) {
        (Some(worker), _) => workers.iter().find(|one| one.name == worker).ok_or_else(|| {
            let known = workers.iter().map(|one| one.name.as_str());
            let help =
                did_you_mean(worker, known).unwrap_or_else(|| format!("there are: {}", member::listed(&workers)));
            let problem = Diagnostic::new(CODE, format!("the pool `{name}` has no workers `{worker}`"));
            raise(problem.label_word(span, worker, "asked here").help(help))
        })?,
        (None, wanted) => least(&name, &workers, wanted.as_deref()).ok_or_else(|| {
            let wanted = wanted.clone().unwrap_or_default();
            let known: Vec<&str> =
                workers.iter().flat_map(|one| one.agent.0.capabilities.iter().map(SmolStr::as_str)).collect();
            let help = did_you_mean(&wanted, known.iter().copied())
                .unwrap_or_else(|| format!("give it to an agent: `capabilities: [\"{wanted}\"]`"));
            let problem = Diagnostic::new(CODE, format!("nobody in the pool `{name}` has `{wanted}`"));
            raise(problem.label_word(span, wanted.as_str(), "asked for here").help(help))
        })?,
    };
    session::with(|session| *session.load.entry((name.as_str().into(), chosen.name.clone())).or_default() += 1);
    let step = agents::ask(context, &chosen.agent, None, prompt, Some(&said))?;
    for limit in &chosen.limits {
        policies::set(context, &step, "limit", &limit.to_string().into())?;
    }
    Ok(step)
}

/// Of those that have the capability the one that was asked least so far, for its size; of several the first.
fn least<'a>(pool: &str, workers: &'a [Member], wanted: Option<&str>) -> Option<&'a Member> {
    let asked = |one: &Member| {
        session::with(|session| session.load.get(&(pool.into(), one.name.clone())).copied().unwrap_or_default())
    };
    let can = |one: &&Member| wanted.is_none_or(|wanted| one.agent.0.capabilities.iter().any(|can| can == wanted));
    workers.iter().filter(can).reduce(|best, one| {
        let less = u64::from(asked(one)) * u64::from(best.size) < u64::from(asked(best)) * u64::from(one.size);
        if less { one } else { best }
    })
}
