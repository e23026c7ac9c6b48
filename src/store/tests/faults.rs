//! Faults: changed and damaged databases, full disks, wrong places, other programs.

use super::*;

#[test]
fn verify_names_what_was_changed() {
    let changes = [
        ("UPDATE events SET at = at + 1 WHERE key & 0xffff = 4", "event 4 of run `RUN` (`finished`), or event 3"),
        ("UPDATE events SET at = 'x' WHERE key & 0xffff = 4", "event 4 of run `RUN` (`finished`)"),
        ("UPDATE events SET event = replace(event, '42', '43') WHERE key & 0xffff = 4", "event 4 of run"),
        ("UPDATE events SET event = 'x' WHERE key & 0xffff = 4", "event 4 of run `RUN` (not readable)"),
        ("UPDATE events SET hash = zeroblob(32) WHERE key & 0xffff = 3", "event 3 of run `RUN` (`started`)"),
        ("UPDATE events SET key = key + 10 WHERE key & 0xffff = 5", "event 5 of run `RUN` is missing"),
        ("DELETE FROM events WHERE key & 0xffff = 0", "event 0 of run `RUN` is missing"),
        (
            "DELETE FROM events WHERE key & 0xffff = 9",
            "run `RUN` had 10 events, its log ends with event 8 (`finished`)",
        ),
        ("UPDATE events SET event = replace(event, 'deploy', 'destroy') WHERE key & 0xffff = 0", "event 0 of run"),
        ("UPDATE runs SET workflow = 'x'", "`workflow` is not what its events say"),
        ("UPDATE runs SET file = 'x'", "`file` is not"),
        ("UPDATE runs SET status = 'failed'", "`status` is not"),
        ("UPDATE runs SET created_at = 1", "`created_at` is not"),
        ("UPDATE runs SET updated_at = 1", "`updated_at` is not"),
        ("UPDATE runs SET ended_at = NULL", "`ended_at` is not"),
        ("UPDATE runs SET events = 1", "`events` is not"),
        ("UPDATE runs SET head = zeroblob(32)", "`head` is not"),
        ("UPDATE runs SET failed = 1", "`steps` is not"),
        ("UPDATE sources SET text = 'rm -rf /'", "the text of `a.rhai`"),
    ];
    for (change, expected) in changes {
        let home = home();
        let store = open(&home);
        let sources = vec![("a.rhai".to_owned(), store.keep_source("sh(\"a\", \"true\")").unwrap())];
        let log = store.create(Created { sources, ..created("/a.rhai") }).unwrap();
        log.append(records(1, events(3).into_iter().chain([ended()])), |result| result.unwrap());
        let run = log.run().to_owned();
        drop(log);
        assert_eq!(store.verify(&run).unwrap().files, 1);
        meddle(&home, change);
        let error = store.verify(&run).unwrap_err();
        assert_eq!(error.code(), "flow::store::tampered", "{change}: {error}");
        assert!(error.message().contains(&expected.replace("RUN", &run)), "{change}: {error}");
        if !change.contains("sources") {
            assert_eq!(store.reopen(&run).err().unwrap().code(), "flow::store::tampered", "{change}");
        }
    }
}

#[test]
fn verify_reads_the_files_of_a_run() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let file = crate::event::Log { file: "out".into(), bytes: 3, sha256: chain::of_text("abc") };
    let outcome =
        Outcome { stdout: Some(file.clone()), output: Output::File { log: file, json: false }, ..Outcome::default() };
    let mut all = events(1);
    all[3] = Event::Finished { step: StepId(0), attempt: 1, outcome: Arc::new(outcome) };
    log.append(records(1, all), |result| result.unwrap());
    log.flush().unwrap();
    assert_eq!(store.verify(log.run()).unwrap().missing, ["out"]);
    fs::write(log.folder().join("out"), "abc").unwrap();
    let verified = store.verify(log.run()).unwrap();
    assert_eq!((verified.files, verified.missing.len()), (1, 0));
    fs::write(log.folder().join("out"), "abd").unwrap();
    let error = store.verify(log.run()).unwrap_err();
    assert!(error.message().contains("the file `out`") && error.message().contains("event 4"), "{error}");
}

#[test]
fn a_gap_in_the_numbers_is_refused_for_good() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let (tell, told) = crossbeam_channel::unbounded();
    for seq in [1, 3, 2] {
        let tell = tell.clone();
        log.append(records(seq, [Event::Paused]), move |result| tell.send(result.is_ok()).unwrap());
    }
    assert_eq!(log.flush().unwrap_err().code(), "flow::store::write");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(store.verify(log.run()).unwrap().events, 2);
}

#[test]
fn a_full_disk_stops_the_run_and_nothing_is_lost() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    store
        .write(|connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 3), [], |_| Ok(()))
        })
        .unwrap();
    let committed = Arc::new(AtomicU64::new(1));
    for (n, event) in events(1000).into_iter().enumerate() {
        let committed = committed.clone();
        log.append(records(n as u64 + 1, [event]), move |result| match result {
            Ok(()) => assert_eq!(committed.swap(n as u64 + 2, Ordering::Relaxed), n as u64 + 1),
            Err(error) => assert_eq!(error.code(), "flow::store::write"),
        });
        if n % 10 == 0 {
            let _ = log.flush();
        }
    }
    let error = log.flush().unwrap_err();
    assert!(error.message().contains("the disk is full") && error.help_text().is_some(), "{error}");
    let run = log.run().to_owned();
    drop(log);
    assert!(store.create(created(&"/b".repeat(10_000))).is_err());
    drop(store);

    // There is room again.
    let store = open(&home);
    assert_eq!(store.verify(&run).unwrap().events, committed.load(Ordering::Relaxed));
    let (log, records) = store.reopen(&run).unwrap();
    assert_eq!(records.len() as u64, committed.load(Ordering::Relaxed));
    log.flush().unwrap();
}

#[test]
fn a_newer_database_is_left_alone() {
    let home = home();
    finished_run(&open(&home));
    meddle(&home, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
    let path = home.path().join(".flow/flow.db");
    let before = fs::read(&path).unwrap();
    for error in [
        Store::open(path.parent().unwrap(), Durability::Full).err().unwrap(),
        Store::open_existing(path.parent().unwrap()).err().unwrap(),
    ] {
        assert_eq!(error.code(), "flow::store::newer");
        let known = super::super::connect::VERSION;
        assert!(error.message().contains(&format!("version 99, this one knows {known}")), "{error}");
    }
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let home = home();
    fs::create_dir(home.path().join(".flow")).unwrap();
    meddle(&home, "CREATE TABLE shopping (item)");
    let path = home.path().join(".flow/flow.db");
    let before = fs::read(&path).unwrap();
    let error = Store::open(path.parent().unwrap(), Durability::Normal).err().unwrap();
    assert_eq!(error.code(), "flow::store::open");
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn wrong_places_are_named() {
    let home = home();
    let path = home.path().join(".flow");
    let codes = |path: &Path| {
        [Store::open(path, Durability::Normal).err(), Store::open_existing(path).err()]
            .map(|error| error.map(|error| (error.code(), error.help_text().is_some())))
    };
    // A file in place of the folder; a folder below a file.
    fs::write(&path, "x").unwrap();
    assert_eq!(codes(&path)[0], Some(("flow::store::write", true)));
    assert_eq!(codes(&path.join("deeper"))[0], Some(("flow::store::write", true)));
    assert!(codes(&path)[1].is_none_or(|(code, help)| code == "flow::store::open" && help));
    fs::remove_file(&path).unwrap();
    // A folder in place of the database.
    fs::create_dir_all(path.join("flow.db")).unwrap();
    assert_eq!(codes(&path), [Some(("flow::store::open", true)); 2]);
    fs::remove_dir(path.join("flow.db")).unwrap();
    // Something else in place of the database.
    fs::write(path.join("flow.db"), "not a database, but long enough to have a header of 100 bytes".repeat(9)).unwrap();
    assert_eq!(codes(&path), [Some(("flow::store::corrupt", true)); 2]);
    fs::remove_file(path.join("flow.db")).unwrap();
    // A file in place of the runs' folder.
    fs::write(path.join("runs"), "x").unwrap();
    let error = open(&home).create(created("/a")).err().unwrap();
    assert_eq!((error.code(), error.help_text().is_some()), ("flow::store::write", true));
}

#[test]
fn a_database_that_somebody_keeps_locked_is_an_error_for_who_reads() {
    let home = home();
    finished_run(&open(&home));
    meddle(&home, "PRAGMA journal_mode = delete");
    let path = home.path().join(".flow/flow.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = Store::open_with(path.parent().unwrap(), Durability::Normal, Duration::from_millis(20)).err().unwrap();
    assert_eq!(error.code(), "flow::store::open");
    assert!(error.message().contains("keeps it locked"), "{error}");
}

#[test]
fn who_writes_waits_for_a_locked_database() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let other = Connection::open(home.path().join(".flow/flow.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = crossbeam_channel::bounded(1);
    log.append(records(1, [Event::Paused]), move |result| tell.send(result.is_ok()).unwrap());
    assert!(told.recv_timeout(Duration::from_millis(30)).is_err());
    other.execute_batch("COMMIT").unwrap();
    assert!(told.recv().unwrap());
}

#[test]
fn damaged_pages_are_named_and_nothing_panics() {
    let home = home();
    let run = {
        let store = open(&home);
        let log = store.create(created("/a.rhai")).unwrap();
        log.append(records(1, events(500)), |result| result.unwrap());
        log.run().to_owned()
    };
    meddle(&home, "PRAGMA wal_checkpoint(TRUNCATE)");
    let path = home.path().join(".flow/flow.db");
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    let mut codes = std::collections::BTreeSet::new();
    for page in 0..pages {
        for kind in ["zero", "noise", "cut"] {
            let mut bytes = whole.clone();
            match kind {
                "zero" => bytes[page * 4096..][..4096].fill(0),
                "noise" => bytes[page * 4096..][..4096].iter_mut().for_each(|byte| *byte ^= 0x5a),
                _ => bytes.truncate(page * 4096 + 100),
            }
            fs::write(&path, bytes).unwrap();
            let _ = fs::remove_file(wal(&path));
            let found = Store::open(path.parent().unwrap(), Durability::Normal).and_then(|store| store.verify(&run));
            match found {
                // Pages that hold nothing of this run.
                Ok(verified) => assert_eq!(verified.events, 1003),
                Err(error) => {
                    assert!(error.help_text().is_some(), "{error}");
                    codes.insert(error.code());
                }
            }
        }
    }
    let known = ["flow::run::unknown", "flow::store::corrupt", "flow::store::open", "flow::store::tampered"];
    assert!(codes.iter().all(|code| known.contains(code)), "{codes:?}");
    assert!(codes.contains("flow::store::corrupt"));
}

/// What `docs/log-format.md` tells others to do, done as it says (where there is a Python to do it).
#[test]
fn the_documented_check_finds_the_log_as_written() {
    let home = home();
    let store = open(&home);
    let run = finished_run(&store);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/log-format.md")).unwrap();
    let code: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("    import"))
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    let code = code.join("\n");
    let check = || {
        let python = std::process::Command::new("python3").args(["-c", &code, &run]).current_dir(home.path()).output();
        python.ok().map(|output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let Some(found) = check() else { return };
    assert_eq!(found, format!("as written {}\n", store.verify(&run).unwrap().head));
    meddle(&home, "UPDATE events SET at = at + 1 WHERE key & 0xffff = 4");
    assert_eq!(check().unwrap(), "event 4 is not what was written\n");
    meddle(&home, "UPDATE events SET at = at - 1 WHERE key & 0xffff = 4; DELETE FROM events WHERE key & 0xffff = 9");
    assert!(check().unwrap().starts_with("the end is missing"));
}

#[test]
fn a_cut_write_ahead_log_gives_an_earlier_moment() {
    let home = home();
    let run = {
        let store = open(&home);
        let log = store.create(created("/a.rhai")).unwrap();
        for (seq, event) in (1..).zip(events(20)) {
            log.append(records(seq, [event]), |result| result.unwrap());
            log.flush().unwrap();
        }
        log.run().to_owned()
    };
    let path = home.path().join(".flow/flow.db");
    let (database, whole) = (fs::read(&path).unwrap(), fs::read(wal(&path)).unwrap());
    let mut found = std::collections::BTreeSet::new();
    for length in (0..whole.len()).step_by(9001) {
        fs::write(&path, &database).unwrap();
        fs::write(wal(&path), &whole[..length]).unwrap();
        let store = open(&home);
        match store.reopen(&run) {
            Ok((log, records)) => {
                found.insert(records.len());
                log.append(super::records(records.len() as u64, [Event::Paused]), |result| result.unwrap());
                log.flush().unwrap();
                assert_eq!(store.verify(&run).unwrap().events, records.len() as u64 + 1);
            }
            Err(error) => assert_eq!(error.code(), "flow::run::unknown"),
        }
    }
    assert!(found.len() > 10, "{found:?}");
}
