//! What expressions mean, case by case, and properties over random ones.

use proptest::prelude::*;
use serde_json::json;

use super::super::{Json, Key};
use super::*;

/// The results that the expressions below read.
fn world(name: &str, path: &[Key]) -> Result<Json, Error> {
    let world = json!({
        "tests": {"output": "3 passed", "passed": true, "code": 0, "duration_ms": 150},
        "lint": {"output": null, "passed": false},
        "coverage": {"output": {"percent": 87.5, "files": [{"name": "a"}, {"name": "b"}], "odd key": 1}, "passed": true},
        "count": {"output": "42", "passed": true},
        "version": {"output": "1.10", "passed": true},
        "flag": {"output": "false", "passed": true},
        "to-staging": {"output": ["x", "y"], "passed": true},
        "skipped": {"output": null, "passed": false},
        "größe": {"output": 7, "passed": true},
    });
    let result = world.get(name).ok_or_else(|| Error::new(format!("`{name}` is not a step")))?;
    let (mut at, rest) = match path.split_first() {
        Some((Key::Field(field), rest)) => (result.get(field.as_str()), rest),
        _ => (result.get("output"), path),
    };
    for key in rest {
        at = match key {
            Key::Field(field) => at.and_then(|at| at.get(field.as_str())),
            Key::Index(index) => at.and_then(|at| at.get(*index as usize)),
        };
    }
    at.cloned().ok_or_else(|| Error::new(format!("`{name}` has no such value")))
}

fn run(text: &str) -> Result<Json, Error> {
    eval(&parse(text)?, &mut world)
}

#[track_caller]
fn gives(text: &str, value: Json) {
    assert_eq!(run(text), Ok(value), "{text}");
}

#[track_caller]
fn wrong(text: &str, message: &str, help: &str, at: usize) {
    let error = run(text).expect_err(text);
    assert_eq!((error.message.as_str(), error.help.as_deref(), error.at), (message, Some(help), Some(at)), "{text}");
}

#[test]
fn literals_and_units() {
    for (text, value) in [
        ("1", json!(1)),
        ("1.50", json!(1.5)),
        ("2e3", json!(2000.0)),
        ("'it''s'[0]", Json::Null),
        ("'a\\'b\\n'", json!("a'b\n")),
        ("\"x\"", json!("x")),
        ("true", json!(true)),
        ("null", Json::Null),
        ("()", Json::Null),
        ("[1, 'a', [true],]", json!([1, "a", [true]])),
        ("200ms", json!(200)),
        ("1.5s", json!(1500)),
        ("2m", json!(120_000)),
        ("3h", json!(10_800_000)),
        ("1d", json!(86_400_000)),
        ("1h30m", json!(5_400_000)),
        ("80%", json!(80)),
        ("87.5%", json!(87.5)),
        ("10B", json!(10)),
        ("5kB", json!(5_000)),
        ("2KiB", json!(2_048)),
        ("5MB", json!(5_000_000)),
        ("2MiB", json!(2_097_152)),
        ("2GiB", json!(2_147_483_648_i64)),
    ] {
        if text.starts_with("'it") {
            assert!(run(text).is_err());
        } else {
            gives(text, value);
        }
    }
}

#[test]
fn operators_bind_as_usual() {
    for (text, value) in [
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("7 - 2 - 1", json!(4)),
        ("-2 * -3", json!(6)),
        ("2 - -1", json!(3)),
        ("7 % 4", json!(3)),
        ("80 %7", json!(3)),
        ("80%7", json!(3)),
        ("80% - 3", json!(77)),
        ("10 / 4", json!(2.5)),
        ("10 / 5", json!(2)),
        ("true or false and false", json!(true)),
        ("not true or true", json!(true)),
        ("not 1 == 2", json!(true)),
        ("!true == false", json!(true)),
        ("!(1 > 2) && !false", json!(true)),
        ("NOT true OR true AND true", json!(true)),
        ("1 < 2 ? 'a' : 'b'", json!("a")),
        ("false ? 1 : false ? 2 : 3", json!(3)),
        ("true ? false ? 1 : 2 : 3", json!(2)),
        ("1 + 1 == 2 and 'b' in 'abc'", json!(true)),
        ("2 in [1, 2]", json!(true)),
        ("not 3 in [1, 2]", json!(true)),
        ("9007199254740993 > 9007199254740992", json!(true)),
    ] {
        gives(text, value);
    }
}

#[test]
fn names_are_read() {
    for (text, value) in [
        ("tests.passed && coverage.output.percent > 80", json!(true)),
        ("coverage.output.percent >= 87.5%", json!(true)),
        ("tests.duration_ms < 200ms", json!(true)),
        ("coverage.output.files[1].name", json!("b")),
        ("coverage.output['odd key'] + 1", json!(2)),
        ("to-staging.output[0] + to-staging.output[1]", json!("xy")),
        ("to-staging.output == ['x', 'y']", json!(true)),
        ("count", json!("42")),
        ("größe.output - 1", json!(6)),
        ("fn:uppercase(tests.output)", json!("3 PASSED")),
        ("uppercase( tests.output )", json!("3 PASSED")),
        ("json('{\"a\": [1]}').a[0]", json!(1)),
        ("split('a,b', ',')[-1]", json!("b")),
        ("default(coverage.output.nothing, 5)", json!(5)),
        ("default(skipped.output, 5) + 1", json!(6)),
    ] {
        gives(text, value);
    }
}

#[test]
fn a_bare_name_as_a_condition_asks_whether_it_passed() {
    for (text, value) in [
        ("tests and coverage.output.percent > 80", json!(true)),
        ("not lint", json!(true)),
        ("lint or tests", json!(true)),
        ("flag ? 1 : 2", json!(2)),
        ("skipped ? 1 : 2", json!(2)),
        ("skipped.output ? 1 : 2", json!(2)),
    ] {
        gives(text, value);
    }
    let condition = |text| holds(&parse(text).expect(text), &mut world);
    assert_eq!(condition("tests"), Ok(true));
    assert_eq!(condition("lint"), Ok(false));
    assert_eq!(condition("flag"), Ok(false));
    assert!(condition("tests.output").is_err());
}

#[test]
fn text_that_is_a_number_counts_as_one() {
    for (text, value) in [
        ("count > 41", json!(true)),
        ("count == 42", json!(true)),
        ("42.0 == count", json!(true)),
        ("count + 1", json!(43)),
        ("count * '2'", json!(84)),
        ("count + count", json!("4242")),
        ("'v' + 1", json!("v1")),
        ("tests.output == 3", json!(false)),
        ("version == '1.1'", json!(false)),
        ("version == 1.1", json!(true)),
        ("'9' < '10'", json!(true)),
        ("' 87.5%\n' > 80%", json!(true)),
        ("'%' == 0", json!(false)),
        ("'a9' < 'a10'", json!(false)),
        ("flag == false", json!(true)),
        ("null == null", json!(true)),
        ("skipped.output == 0", json!(false)),
        ("'nan' == 'nan'", json!(true)),
    ] {
        gives(text, value);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    wrong(
        "tests.output > 80",
        "`tests.output` is the text '3 passed', not a number, so `>` cannot use it",
        "`.number` reads the output of a step as a number; pick the part you need with `.lines` or `.json` first",
        0,
    );
    wrong(
        "true and skipped.output > 80",
        "`skipped.output` had no value, so `>` cannot use it",
        "a skipped step has no values; ask first, or write `default(skipped.output, 0)`",
        9,
    );
    wrong(
        "coverage > 80",
        "`coverage` is a map, not a number, so `>` cannot use it",
        "pick one of its keys, for instance `coverage.percent`",
        0,
    );
    wrong("1 / (count - 42)", "`1 / (count - 42)` divides by zero", "ask first: `(count - 42) != 0 and …`", 5);
    wrong(
        "true and coverage.output.percent",
        "`coverage.output.percent` is the number 87.5, neither true nor false",
        "compare it: `coverage.output.percent > 0`",
        9,
    );
    wrong(
        "uppercase(to-staging.output)",
        "`uppercase(x)` takes text, but `to-staging.output` is an array of 2",
        "`uppercase(x)`: the text in capital letters",
        0,
    );
    wrong("1e308 * 10", "`1e+308 * 10` is too large for a number", "numbers reach up to about 1.8e308", 8);
}

#[test]
fn wrong_text_says_what_to_write() {
    let name = "a name such as `tests.passed`, a number, a text in quotes, or `(` is missing here";
    for (text, message, help, at) in [
        ("", "the expression is empty", "write for instance `tests.passed and coverage > 80`", None),
        ("a = b", "`=` cannot stand here", "`==` compares; nothing is assigned in an expression", Some(2)),
        ("a & b", "`&` cannot stand here", "write `and` or `&&`, `or` or `||`", Some(2)),
        ("a >", "the expression ends too early", name, Some(3)),
        ("a and or b", "`or` cannot stand here", name, Some(6)),
        ("(a", "the expression ends too early", "a `)` is missing", Some(2)),
        ("'abc", "a text has no end", "close it with `'`", Some(0)),
        (
            "${a.b}",
            "`$` cannot stand here",
            "names stand here as they are, without `$` and braces: `build.output`",
            Some(0),
        ),
        ("uppercas(a)", "there is no function `uppercas`", "did you mean `uppercase`?", Some(0)),
        (
            "1 + trim(a, b)",
            "`trim` takes 1 argument, not 2",
            "`trim(x)`: the text without white space at its ends",
            Some(4),
        ),
        (
            "max()",
            "`max` takes at least 1 argument, not 0",
            "`max(x, …)`: the largest of the numbers, or of those in one array",
            Some(0),
        ),
        ("1 < 2 < 3", "comparisons cannot be chained", "write `1 < 2 and 2 < 3`", Some(6)),
        ("a < 10 mz", "`mz` cannot stand here", "", Some(7)),
        ("a < 10mz", "there is no unit `mz`", "did you mean `m`?", Some(6)),
        ("'\\q'", "`\\q` means nothing in a text", "", Some(1)),
        ("a.0", "`0` cannot stand here", "an item is picked by `[0]`", Some(2)),
        ("a then b", "`then` cannot stand here", "", Some(2)),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!((error.message.as_str(), error.at), (message, at), "{text}");
        let said = error.help.unwrap_or_default();
        assert!(if help.is_empty() { !said.is_empty() } else { said == help }, "{text}: {said}");
    }
}

#[test]
fn names_are_listed_once_in_order() {
    let listed = |text| {
        let expr = parse(text).expect(text);
        names(&expr)
            .into_iter()
            .map(|(name, path)| Expr::new(Kind::Name(name.into(), path), 0).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        listed("b.x > 1 and a[0] in split(c.text, d) ? e : not b.x and b.y['z z'] + f == 1"),
        ["b.x", "a[0]", "c.text", "d", "e", "b.y['z z']", "f"]
    );
    assert_eq!(listed("a-b - c -d-e.f"), ["a-b", "c", "d-e.f"]);
    assert_eq!(listed("true or andy or notable or in-put"), ["andy", "notable", "in-put"]);
}

#[test]
fn deep_and_long_expressions_are_refused_and_wide_ones_are_not() {
    // A thread of a test has the smallest stack a user's expression will meet.
    for (open, close) in
        [("(", ")"), ("[", "]"), ("abs(", ")"), ("(1 or 1 and not 1 < 1 + 1 * -", ")"), ("true ? 1 : ", "")]
    {
        let text = |n| format!("{}1{}", open.repeat(n), close.repeat(n));
        let error = parse(&text(MAX_DEPTH + 1)).expect_err(open);
        assert!(error.message.starts_with("the expression is nested deeper than 64 levels"), "{error}");
        if let Ok(expr) = parse(&text(MAX_DEPTH - 1)) {
            let _ = eval(&expr, &mut world);
            assert_eq!(parse(&expr.to_string()), Ok(expr), "{open}");
        }
    }
    assert!(parse(&"-".repeat(10_000)).is_err());
    assert!(parse(&"not ".repeat(10_000)).is_err());
    assert!(parse(&format!("'{}'", "x".repeat(MAX_LENGTH))).is_err());
    gives(&format!("1{}", " + 1".repeat(10_000)), json!(10_001));
    gives(&format!("true{}", " and true".repeat(5_000)), json!(true));
}

/// Random expressions of every kind.
fn exprs() -> impl Strategy<Value = Expr> {
    let expr = |kind| Expr::new(kind, 0);
    let key = prop_oneof![
        "[a-z][a-z0-9_]{0,3}(-[a-z0-9]{1,2})?".prop_map(|field| Key::Field(field.into())),
        "\\PC{0,4}".prop_map(|field| Key::Field(field.into())),
        any::<i64>().prop_map(Key::Index),
    ];
    let path = prop::collection::vec(key, 0..3);
    let some_path = path.clone().prop_filter("a path", |path| !path.is_empty());
    let leaf = prop_oneof![
        any::<bool>().prop_map(move |b| expr(Kind::Literal(b.into()))),
        Just(()).prop_map(move |()| expr(Kind::Literal(Json::Null))),
        (0..i64::MAX).prop_map(move |n| expr(Kind::Literal(n.into()))),
        (0.0..1e300_f64).prop_map(move |n| expr(Kind::Literal(n.into()))),
        "(\\PC|[\n\t\r'\"\\\\]){0,6}".prop_map(move |text| expr(Kind::Literal(text.into()))),
        ("(step|x|größe|and_|nothing)(-[a-z0-9]{1,2})?", path)
            .prop_map(move |(name, path)| expr(Kind::Name(name.into(), path))),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let many = prop::collection::vec(inner.clone(), 2..4);
        let calculating = |operators: &'static [Arithmetic]| {
            (inner.clone(), prop::collection::vec((prop::sample::select(operators), inner.clone()), 1..4))
                .prop_map(move |(first, terms)| expr(Kind::Arithmetic(Box::new(first), terms)))
        };
        let comparators = [
            Comparator::Equal,
            Comparator::Unequal,
            Comparator::Less,
            Comparator::AtMost,
            Comparator::More,
            Comparator::AtLeast,
            Comparator::In,
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(move |items| expr(Kind::List(items))),
            (inner.clone(), some_path.clone())
                .prop_filter("an own path", |(of, _)| !matches!(of.kind, Kind::Name(..) | Kind::Access(..)))
                .prop_map(move |(of, path)| expr(Kind::Access(Box::new(of), path))),
            (0..FUNCTIONS.len(), prop::collection::vec(inner.clone(), 2)).prop_map(move |(n, mut args)| {
                args.truncate(FUNCTIONS[n].arity().0);
                expr(Kind::Call(&FUNCTIONS[n], args))
            }),
            inner.clone().prop_map(move |of| expr(Kind::Minus(Box::new(of)))),
            inner.clone().prop_map(move |of| expr(Kind::Not(Box::new(of)))),
            calculating(&[Arithmetic::Plus, Arithmetic::Minus]),
            calculating(&[Arithmetic::Times, Arithmetic::Divided, Arithmetic::Modulo]),
            (inner.clone(), prop::sample::select(comparators.to_vec()), inner.clone())
                .prop_map(move |(a, by, b)| expr(Kind::Compare(Box::new(a), by, Box::new(b)))),
            many.clone().prop_map(move |parts| expr(Kind::And(parts))),
            many.prop_map(move |parts| expr(Kind::Or(parts))),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(move |(a, b, c)| expr(Kind::Choice(Box::new([a, b, c])))),
        ]
    })
}

/// Arithmetic and truth, written fully parenthesised, beside its value by Rust's own operators.
fn sums() -> impl Strategy<Value = (String, i64)> {
    (0..100_i64).prop_map(|n| (n.to_string(), n)).prop_recursive(5, 30, 2, |inner| {
        (inner.clone(), prop::sample::select(&["+", "-", "*"]), inner).prop_map(|((a, x), sign, (b, y))| {
            let value = match sign {
                "+" => x.wrapping_add(y),
                "-" => x.wrapping_sub(y),
                _ => x.wrapping_mul(y) % 1000,
            };
            (if sign == "*" { format!("({a} * {b} % 1000)") } else { format!("({a} {sign} {b})") }, value)
        })
    })
}

fn truths() -> impl Strategy<Value = (String, bool)> {
    let leaf = (sums(), prop::sample::select(&["<", "==", ">="]), sums()).prop_map(|((a, x), sign, (b, y))| {
        let value = match sign {
            "<" => x < y,
            "==" => x == y,
            _ => x >= y,
        };
        (format!("{a} {sign} {b}"), value)
    });
    leaf.prop_recursive(4, 20, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("({a} and {b})"), x && y)),
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("({a} || {b})"), x || y)),
            inner.prop_map(|(a, x)| (format!("not ({a})"), !x)),
        ]
    })
}

proptest! {
    #[test]
    fn printed_and_parsed_again_it_is_the_same(expr in exprs()) {
        let text = expr.to_string();
        prop_assert_eq!(parse(&text), Ok(expr), "{}", text);
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,40}") {
        let _ = run(&text);
    }

    #[test]
    fn no_order_of_words_is_too_strange(words in prop::collection::vec(prop::sample::select(&[
        "a", "b-c", ".x", "[0]", "['k']", "(", ")", "[", "]", "1", "2.5", "80%", "3ms", "'t'", "\"", "'", "?", ":", ",", "and ",
        "or ", "not ", "in ", "!", "-", "+", "*", "/", "%", "==", "<", ">=", "fn:", "trim(", "max(", "true", "null", "\\", " ",
    ]), 0..20)) {
        let text = words.concat();
        if let Ok(expr) = parse(&text) {
            let _ = eval(&expr, &mut world);
            let printed = expr.to_string();
            prop_assert_eq!(parse(&printed), Ok(expr), "{} {}", text, printed);
        }
    }

    #[test]
    fn evaluating_never_panics(expr in exprs()) {
        let _ = eval(&expr, &mut |name, path| world(if name == "x" { "coverage" } else { "count" }, path));
    }

    #[test]
    fn arithmetic_agrees_with_rust((text, value) in sums()) {
        prop_assert_eq!(run(&text), Ok(value.into()), "{}", text);
    }

    #[test]
    fn truth_agrees_with_rust((text, value) in truths()) {
        prop_assert_eq!(run(&text), Ok(value.into()), "{}", text);
    }
}
