//! What arrow and flow strings are read as, and properties over random ones.

use proptest::prelude::*;

use super::super::expression;
use super::*;

fn shown(text: &str) -> String {
    let stages = parse_chain(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    stages.iter().map(Stage::to_string).collect::<Vec<_>>().join(" → ")
}

#[test]
fn chains_are_read() {
    for (text, same) in [
        ("a", "a"),
        ("a->b", "a → b"),
        (" a →\n b\t-> c ", "a → b → c"),
        ("a → b → [c, d] → e", "a → b → [c, d] → e"),
        ("[a -> b, [c, d,], e]", "[a → b, [c, d], e]"),
        ("to-staging->v1.2_x", "to-staging → v1.2_x"),
        (
            "coordinator: plan → specialists: [a, b] → aggregator: merge",
            "coordinator: plan → specialists: [a, b] → aggregator: merge",
        ),
        ("(a -> b) -> c", "(a → b) → c"),
        ("a -> (if b.passed then c else d) -> e", "a → (if b.passed then c else d) → e"),
        ("/docs  topic two -> [/query \"a, 'b' -> c\" d, /x]", "/docs topic two → [/query 'a, \\'b\\' -> c' d, /x]"),
        ("/team/docs if", "/team/docs"),
    ] {
        if text.ends_with(" if") {
            assert!(parse_chain(text).is_err());
        } else {
            assert_eq!(shown(text), same, "{text}");
        }
    }
}

#[test]
fn levels_of_streams_are_read() {
    let levels = |text: &str| {
        let names = |level: Vec<Name>| level.iter().map(|name| name.text.to_string()).collect::<Vec<_>>().join(" ");
        parse_stream(text).map(|levels| levels.into_iter().map(names).collect::<Vec<_>>().join(" | "))
    };
    for (text, wanted) in
        [("a |> b", "a | b"), ("a|>[b,c,]|> d", "a | b c | d"), ("[a, b] |> c", "a b | c"), ("a", "a")]
    {
        assert_eq!(levels(text).as_deref(), Ok(wanted), "{text}");
    }
    for text in ["", "a |>", "|> a", "a -> b", "a |> []", "a |> [b", "a b", "a |> [b |> c]", "a | b", "'a' |> b"] {
        let error = levels(text).expect_err(text);
        assert!(error.help.is_some(), "{text}: {error:?}");
    }
}

#[test]
fn names_know_where_they_stand() {
    let stages = parse_chain("é → [b, x: /c d]").expect("a chain");
    let Node::Name(first) = &stages[0].node else { panic!("{stages:?}") };
    assert_eq!((first.text.as_str(), first.at), ("é", 0));
    let Node::SideBySide(chains) = &stages[1].node else { panic!("{stages:?}") };
    let Node::Name(b) = &chains[0][0].node else { panic!("{stages:?}") };
    let Node::Command(c, words) = &chains[1][0].node else { panic!("{stages:?}") };
    assert_eq!((b.at, c.text.as_str(), c.at, &words[..]), (8, "/c", 14, &["d".to_owned()][..]));
    assert_eq!(chains[1][0].label.as_ref().map(|label| label.at), Some(11));
}

#[test]
fn flows_are_read() {
    for (text, same) in [
        ("if a then b", "if a then b"),
        (
            "IF tests.passed AND coverage > 80% THEN deploy -> smoke ELSE notify",
            "if tests.passed AND coverage > 80% then deploy → smoke else notify",
        ),
        ("if a then b else if c then d else e", "if a then b else if c then d else e"),
        ("if a then if b then c else d", "if a then if b then c else d"),
        ("if a then (if b then c) else d", "if a then (if b then c) else d"),
        (
            "if a.text == 'x then y' and (b or contains(c.text, \"then\")) then [d, e]",
            "if a.text == 'x then y' and (b or contains(c.text, \"then\")) then [d, e]",
        ),
        (
            "if thenx.passed or to-then.passed\nthen elsewhere\nelse otherwise",
            "if thenx.passed or to-then.passed then elsewhere else otherwise",
        ),
        ("if a then /say well done else /say no", "if a then /say well done else /say no"),
    ] {
        let flow = parse_flow(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(flow.to_string(), same, "{text}");
    }
    let flow = parse_flow("if a and b.x > 1 then c else d").expect("a flow");
    assert_eq!((flow.at, flow.condition.as_str()), (3, "a and b.x > 1"));
    assert_eq!(expression::names(&flow.expr).len(), 2);
    let nested = parse_flow("if a then if b then c else d").expect("a flow");
    assert!(nested.otherwise.is_none(), "the `else` belongs to the inner one");
}

#[test]
fn wrong_texts_say_what_to_write() {
    let missing = "a name of a step is missing here";
    let no_arrow = "an arrow is missing between the two: `a -> b`";
    for (text, message, help, at) in [
        (" ", "the text is empty", "write for instance `build -> test -> [pack, docs]`", None),
        ("a ->", "the text ends too early", missing, Some(4)),
        ("-> a", "`-` cannot stand here", missing, Some(0)),
        ("a -> -> b", "`-` cannot stand here", missing, Some(5)),
        ("a b", "`b` cannot stand here", no_arrow, Some(2)),
        ("a [b]", "`[` cannot stand here", no_arrow, Some(2)),
        ("a => b", "`=` cannot stand here", "arrows are written `->` or `→`", Some(2)),
        ("a, b", "`,` cannot stand here", "steps that run side by side stand in brackets: `[a, b]`", Some(1)),
        ("a -> [b, c", "the text ends too early", "a `]` is missing", Some(10)),
        ("(a", "the text ends too early", "a `)` is missing", Some(2)),
        (
            "a -> []",
            "`]` cannot stand here",
            "an empty list does nothing; write the names that run side by side: `[a, b]`",
            Some(6),
        ),
        ("a -> 'b'", "`'` cannot stand here", "names stand without quotes", Some(5)),
        (
            "if a then b",
            "`if` cannot stand here",
            "decisions belong into `flow(\"if … then … else …\")`, or in parentheses: `a -> (if b.passed then c)`",
            Some(0),
        ),
    ] {
        let error = parse_chain(text).expect_err(text);
        assert_eq!((error.message.as_str(), error.help.as_deref(), error.at), (message, Some(help), at), "{text}");
    }
    for (text, message, at) in [
        ("", "the text is empty", None),
        ("a -> b", "`a` cannot stand here", Some(0)),
        ("if a", "the text ends too early", Some(4)),
        ("if a then", "the text ends too early", Some(9)),
        ("if then b", "`then` cannot stand here", Some(3)),
        ("if a then else b", "`else` cannot stand here", Some(10)),
        ("if a then b else", "the text ends too early", Some(16)),
        ("if a then b else c else d", "`else` cannot stand here", Some(19)),
        ("if a > then b", "the expression ends too early", Some(6)),
        ("if uper(a) then b", "there is no function `uper`", Some(3)),
    ] {
        let error = parse_flow(text).expect_err(text);
        assert_eq!((error.message.as_str(), error.at), (message, at), "{text}: {error:?}");
        assert!(error.help.is_some(), "{text}");
    }
}

#[test]
fn deep_texts_are_refused() {
    for (open, close) in [("[", "]"), ("(", ")")] {
        let text = |n| format!("{}a{}", open.repeat(n), close.repeat(n));
        assert!(parse_chain(&text(64)).is_ok());
        assert!(parse_chain(&text(65)).is_err());
        assert!(parse_chain(&text(30_000)).is_err());
    }
    let ifs = |n| format!("{}x", "if a then b else ".repeat(n));
    assert!(parse_flow(&ifs(64)).is_ok());
    assert!(parse_flow(&ifs(3_000)).is_err());
    assert!(parse_chain(&"x".repeat(70_000)).is_err());
    assert_eq!(parse_chain(&vec!["a"; 10_000].join("->")).map(|stages| stages.len()), Ok(10_000));
}

fn names() -> impl Strategy<Value = Name> {
    let keyword = |text: &str| ["if", "then", "else"].contains(&text.to_lowercase().as_str());
    "[a-zé_][a-z0-9_.]{0,3}(-[a-z0-9]{1,2})?"
        .prop_filter("no keyword", move |text| !keyword(text) && !keyword(text.split('-').next().unwrap_or_default()))
        .prop_map(|text| Name { text: text.into(), at: 0 })
}

fn branches(stages: BoxedStrategy<Vec<Stage>>) -> BoxedStrategy<Branch> {
    let conditions =
        prop::sample::select(&["a", "a.passed and b > 1", "x == 'then' or (not y)", "contains(a.text, \"else )\")"]);
    stages
        .prop_map(Branch::Chain)
        .prop_recursive(3, 8, 2, move |inner| {
            (conditions.clone(), inner.clone(), prop::option::of(inner)).prop_map(|(condition, then, otherwise)| {
                let expr = expression::parse(condition).expect("an expression");
                Branch::Flow(Box::new(Flow { condition: condition.into(), expr, at: 0, then, otherwise }))
            })
        })
        .boxed()
}

fn chains() -> BoxedStrategy<Vec<Stage>> {
    let leaf = prop_oneof![
        names().prop_map(Node::Name),
        (names(), prop::collection::vec("(\\PC|[\n'\"\\\\]|->|→){0,5}", 0..3))
            .prop_map(|(name, words)| { Node::Command(Name { text: format!("/{}", name.text).into(), at: 0 }, words) }),
    ];
    let stage =
        |node: BoxedStrategy<Node>| (prop::option::of(names()), node).prop_map(|(label, node)| Stage { label, node });
    // A flow alone in a branch is that branch.
    let lone = |stages: &Vec<Stage>| matches!(&stages[..], [Stage { label: None, node: Node::Flow(_) }]);
    let node = leaf.boxed().prop_recursive(3, 16, 3, move |node| {
        let chain = prop::collection::vec(stage(node.boxed()), 1..3)
            .prop_filter("no lone flow", move |stages| !lone(stages))
            .boxed();
        let flows = branches(chain.clone()).prop_filter_map("a flow", |branch| match branch {
            Branch::Flow(flow) => Some(Node::Flow(flow)),
            Branch::Chain(_) => None,
        });
        prop_oneof![
            prop::collection::vec(chain.clone(), 1..3).prop_map(Node::SideBySide),
            chain.prop_map(Node::Chain),
            flows,
        ]
    });
    prop::collection::vec(stage(node.boxed()), 1..4).prop_filter("no lone flow", move |stages| !lone(stages)).boxed()
}

proptest! {
    #[test]
    fn printed_and_parsed_again_it_is_the_same(stages in chains()) {
        let text = stages.iter().map(Stage::to_string).collect::<Vec<_>>().join(" -> ");
        let again = parse_chain(&text);
        let printed = again.as_ref().map(|stages| stages.iter().map(Stage::to_string).collect::<Vec<_>>().join(" -> "));
        prop_assert_eq!(printed, Ok(text.clone()));
    }

    #[test]
    fn flows_too(branch in branches(chains())) {
        let Branch::Flow(flow) = branch else { return Ok(()) };
        let text = flow.to_string();
        prop_assert_eq!(parse_flow(&text).map(|flow| flow.to_string()), Ok(text.clone()));
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,40}", words in prop::collection::vec(prop::sample::select(&[
        "a", "b-c", "->", "→", "[", "]", "(", ")", ",", ":", "/x", " ", "if ", "then ", "else ", "'", "\"", "\\", "-", ">", ".", "1",
    ]), 0..20)) {
        for text in [text, words.concat(), format!("if {}", words.concat())] {
            let _ = parse_chain(&text);
            let _ = parse_flow(&text);
        }
    }
}
