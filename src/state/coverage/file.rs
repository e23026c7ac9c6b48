//! Coverage in the form of lcov, which editors and coverage services read.

use std::fmt::Write;

use super::Coverage;

/// The branches as lcov's trace file says them: `BRDA:<line>,<block>,<branch>,<taken>`, where a block is a decision and its
/// branches 0 and 1 are its two ways. <https://github.com/linux-test-project/lcov/blob/master/man/geninfo.1>
pub fn lcov(coverage: &Coverage) -> String {
    let mut text = String::new();
    for (file, branches) in &coverage.files {
        let _ = writeln!(text, "TN:\nSF:{file}");
        for (block, branch) in branches.iter().enumerate() {
            let never = branch.covered() == 0;
            for (way, times) in [branch.yes, branch.no].into_iter().enumerate() {
                let taken = if never { "-".to_owned() } else { times.to_string() };
                let _ = writeln!(text, "BRDA:{},{block},{way},{taken}", branch.line);
            }
        }
        let (covered, all) = coverage.count(Some(file));
        let _ = writeln!(text, "BRF:{all}\nBRH:{covered}\nend_of_record");
    }
    text
}
