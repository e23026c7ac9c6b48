//! Backups of a real folder with odd names, restored and compared.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{contents, fails, runs, succeeds, with};
use crate::server::{self, Server};
use crate::transcript::Session;

fn folder() -> Session {
    let session = with("backup");
    session
        .file("data/plain", "a\n")
        .file("data/with blank", "b\n")
        .file("data/with\nline", "c\n")
        .file("data/-n", "d\n")
        .file("data/$(touch pwned)`touch pwned`", "e\n")
        .file("data/'\"*?[", "f\n")
        .file("data/.hidden/deep/er", "g\n")
        .file("data/ünïcode ✓", [0, 255, 10]);
    let odd = Path::new(OsStr::from_bytes(b"data/\xff\xfe\\")).to_owned();
    std::fs::write(session.folder().join(odd), "h\n").expect("a file");
    succeeds(
        &session,
        "mkdir data/empty && ln -s nowhere data/link && ln -s ../data data/up && ln data/plain data/hard && chmod 750 data/plain && chmod 400 'data/with blank'",
    );
    session
}

fn kept(session: &Session) -> Vec<String> {
    let mut names: Vec<_> = contents(&session.folder().join("backups")).into_iter().map(|(name, _)| name).collect();
    names.retain(|name| !name.contains("sha256"));
    names
}

#[test]
fn everything_comes_back_as_it_was() {
    let session = folder();
    let before = contents(&session.folder().join("data"));
    let steps = runs(&session, "");
    let whole = &steps["backup/kept/whole"]["output"];
    assert!(whole["compared"].as_str().is_some_and(|text| text.ends_with("entries are as they were")), "{steps:#}");
    assert_eq!(kept(&session).len(), 1, "{:?}", kept(&session));
    succeeds(&session, "mkdir again && tar -xzpf backups/*.tar.gz -C again");
    assert_eq!(contents(&session.folder().join("again")), before);
    assert_eq!(contents(&session.folder().join("data")), before, "the source is untouched");

    // What is left out is in no backup.
    runs(&session, "--arg 'exclude=./.hidden,./with*' --arg name=part");
    let names = succeeds(&session, "tar -tzf backups/part-*.tar.gz");
    assert!(!names.contains("hidden") && !names.contains("with") && names.contains("plain"), "{names}");
}

/// A `tar` that damages what it packs, or leaves something out.
fn with_a_bad_tar(session: &Session, how: &str) -> String {
    let tar = succeeds(session, "command -v tar");
    let script = format!("#!/bin/sh\n{} \"$@\" || exit\ncase \"$1\" in -c*) {how} ;; esac\n", tar.trim());
    session.file("bin/tar", script);
    succeeds(session, "chmod +x bin/tar");
    "PATH=$PWD/bin:$PATH flow script t.rhai --json".to_owned()
}

#[test]
fn a_damaged_archive_is_noticed() {
    for how in [
        // Bytes in the middle; the end cut off; another content.
        "printf XXXX | dd of=\"$2\" bs=1 seek=60 conv=notrunc 2>/dev/null",
        "head -c 200 \"$2\" > \"$2.x\" && mv \"$2.x\" \"$2\"",
        "mkdir -p ../x && cp -Rp . ../x && rm -f ../x/plain && (cd ../x && /usr/bin/env -i PATH=/usr/bin:/bin tar -czf \"$2\" .)",
    ] {
        let session = folder();
        let line = with_a_bad_tar(&session, how);
        let (code, result, told) = super::result(&session, &line);
        assert_eq!(code, Some(1), "{how}: {result:#}\n{told}");
        assert_eq!(kept(&session), Vec::<String>::new(), "{how}: a bad backup was kept\n{told}");
        let steps = &result["steps"];
        let failed = ["backup/restore", "backup/compare"].map(|step| steps[step]["status"] == "failed");
        assert!(failed.contains(&true), "{how}: {result:#}");
    }
}

#[test]
fn an_old_backup_that_was_damaged_is_set_aside() {
    let session = folder();
    runs(&session, "");
    succeeds(
        &session,
        "mv backups/*.gz backups/backup-20200101T000000Z.tar.gz && cd backups && sed 's/backup-.*/backup-20200101T000000Z.tar.gz/' *.sha256 > x && rm *.sha256 && mv x backup-20200101T000000Z.tar.gz.sha256",
    );
    runs(&session, "");
    assert_eq!(kept(&session).len(), 2);
    succeeds(&session, "printf X | dd of=backups/backup-20200101T000000Z.tar.gz bs=1 seek=50 conv=notrunc 2>/dev/null");
    let (steps, told) = fails(&session, "");
    assert!(told.contains("backup-20200101T000000Z.tar.gz"), "{told}");
    assert_eq!(steps["backup/keep"]["status"], "success", "the new one is safe: {steps:#}");
    assert!(session.folder().join("backups/backup-20200101T000000Z.tar.gz.damaged").exists());
    runs(&session, "");
}

#[test]
fn an_old_backup_without_a_sum_is_named_and_read() {
    let session = folder();
    let old = "backup-20200101T000000Z.tar.gz";
    succeeds(&session, &format!("mkdir backups && tar -czf backups/{old} data"));
    let steps = runs(&session, "");
    assert_eq!(steps["backup/reread"]["output"]["without_sum"], serde_json::json!([old]), "{steps:#}");
    assert_eq!(kept(&session).len(), 2);
    succeeds(&session, &format!("printf XXXX | dd of=backups/{old} bs=1 seek=50 conv=notrunc 2>/dev/null"));
    let (steps, told) = fails(&session, "");
    assert!(told.contains(&format!("{old} is damaged")), "{told}");
    assert_eq!(steps["backup/reread"]["output"]["damaged"], serde_json::json!([old]), "{steps:#}");
    assert!(session.folder().join(format!("backups/{old}.damaged")).exists());
    runs(&session, "");

    // A sum whose backup is gone says so.
    let gone = "backup-20200102T000000Z.tar.gz";
    succeeds(&session, &format!("printf '%064d  {gone}\\n' 0 > backups/{gone}.sha256"));
    let (_, told) = fails(&session, "");
    assert!(told.contains("is gone, but its sum is there"), "{told}");
    runs(&session, "");
}

#[test]
fn the_oldest_go_and_nothing_else() {
    let session = folder();
    succeeds(
        &session,
        "mkdir backups && for day in 1 2 3 4; do tar -czf backups/backup-2020010${day}T000000Z.tar.gz data/plain; done",
    );
    session.file("backups/notes.txt", "mine").file("backups/backup-other.tar.gz", "mine");
    session.file("backups/backup-x-20200101T000000Z.tar.gz", "of another name");
    runs(&session, "--arg keep=3");
    let left = succeeds(&session, "ls backups");
    assert!(left.contains("20200104") && left.contains("20200103") && !left.contains("20200102"), "{left}");
    for mine in ["notes.txt", "backup-other.tar.gz", "backup-x-20200101T000000Z.tar.gz"] {
        assert!(left.contains(mine), "{mine}: {left}");
    }
}

#[test]
fn what_was_stopped_is_started_again_in_any_case() {
    let session = folder();
    runs(&session, "--arg before='echo stop >> told' --arg after='echo start >> told'");
    assert_eq!(succeeds(&session, "cat told; rm told"), "stop\nstart\n");
    // Something writes while it is read: it is read again, and given up at last.
    let busy = "--arg before='echo stop >> told; echo more >> data/log' --arg after='echo start >> told'";
    runs(&session, busy);
    let line = with_a_bad_tar(&session, "date +%N >> log");
    let (code, result, told) = super::result(&session, &format!("rm told; {line} {}", busy));
    assert_eq!(code, Some(1), "{result:#}");
    assert!(told.contains("files changed while they were read"), "{told}");
    assert_eq!(result["steps"]["backup/keep"]["status"], "skipped");
    assert!(succeeds(&session, "tail -n 1 told").contains("start"));
}

#[test]
fn people_are_told_of_a_failure() {
    let server = Server::new(|_, to| server::text(to, "ok"));
    let session = with("backup");
    let line = format!("HOOK={} flow script t.rhai --quiet --arg hook=HOOK", server.url());
    assert!(!session.run(&line).status.success());
    assert!(server.request().text().contains("The backup of data has failed"), "{:?}", server.request());
}

#[test]
fn killed_in_the_middle_it_goes_on() {
    let session = folder();
    if !super::has(&session, "ps") {
        return;
    }
    let line =
        format!("flow script t.rhai --quiet --arg before='{}' --arg after='echo start >> told'", super::KILL_FLOW);
    assert!(!session.run(&line).status.success());
    assert!(session.folder().join("killed").exists());
    succeeds(&session, "flow resume last --quiet");
    assert_eq!((kept(&session).len(), succeeds(&session, "cat told")), (1, "start\n".into()));
    assert_eq!(contents(&session.folder().join("backups")).len(), 2, "nothing else is left there");
    for moment in 0..8 {
        let session = folder();
        assert!(super::killed_after(&session, 25 * moment, &[]), "{moment}");
        // Perhaps one was made before flow was killed; what is there is whole.
        succeeds(
            &session,
            "cd backups && sha256sum -c *.sha256 && [ $(ls -A | wc -l) -le 4 ] && [ -z \"$(ls -d .[!.]* 2>/dev/null)\" ]",
        );
    }
}

#[test]
fn a_backup_within_what_it_backs_up_is_refused() {
    let session = folder();
    let (_, told) = fails(&session, "--arg into=data/backups");
    assert!(told.contains("data/backups is inside of data"), "{told}");
    assert!(!session.folder().join("data/backups").exists());
}
