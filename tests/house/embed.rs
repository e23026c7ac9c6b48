//! The program of `examples/embed.rs`, as it is.

#[path = "../../examples/embed.rs"]
#[allow(dead_code)]
mod program;

#[test]
fn a_program_runs_a_script_with_a_function_of_its_own() {
    let mut lines = Vec::new();
    program::run(|line| lines.push(line)).expect("it runs");
    let last: Vec<&str> = lines.iter().rev().take(4).rev().map(String::as_str).collect();
    assert_eq!(
        last,
        [
            r#"stock = "apples\npears\nplums""#,
            r#"offers = ["apples for 60 cents","pears for 50 cents","plums for 50 cents"]"#,
            r#"best = "pears for 50 cents""#,
            "the run: success"
        ]
    );
    assert!(lines.contains(&"offers[plums] is done".to_owned()), "{lines:#?}");
}
