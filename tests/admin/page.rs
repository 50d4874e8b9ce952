//! The page about the interface (`docs/api.md`), and the README's way to a first answer, followed by a reader with a shell in an
//! empty folder: each block runs as it stands.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::on_both_stores;
use crate::support::{PATIENCE, World};

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page")
}

/// The blocks of a page in that language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().expect("an end").to_owned()).collect()
}

/// Runs blocks, each with a line of dashes behind it, with nothing but the database's address and a port that is free.
async fn follow(world: &World, blocks: &[String]) -> Output {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
    let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n".to_owned();
    for block in blocks {
        script.push_str(&block.replace("127.0.0.1:8420", &free.to_string()));
        script.push_str("\necho\necho '---'\n");
    }
    let folder = world.path().join("empty");
    std::fs::create_dir(&folder).expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_entitled")).parent().expect("its folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("a path"));
    let mut command = tokio::process::Command::new("bash");
    command.arg("-c").arg(&script).current_dir(folder).env("PATH", path).kill_on_drop(true);
    command.env("ENTITLED_DATABASE__URL", world.database.url()).env("ENTITLED_HTTP__LISTEN", free.to_string());
    let output =
        tokio::time::timeout(4 * PATIENCE, command.output()).await.expect("it ends").expect("bash, curl and jq");
    assert!(output.status.success(), "{script}\n{output:?}");
    output
}

on_both_stores! {
    async fn each_line_of_the_page_runs_and_answers_as_it_says(world: World) {
        let page = page("docs/api.md");
        let script = blocks(&page, "sh");
        assert!(script.len() >= 8, "the page has lost its lines");
        let output = follow(&world, &script).await;
        let out = String::from_utf8_lossy(&output.stdout);
        let answers: Vec<&str> = out.split("---\n").collect();
        for (said, expected) in blocks(&page, "json").iter().enumerate() {
            let expected: Value = serde_json::from_str(expected).expect("JSON in the page");
            let found = answers.iter().filter_map(|answer| serde_json::from_str::<Value>(answer).ok());
            assert!(found.into_iter().any(|answer| answer == expected), "answer {said} of the page is none of these:\n{out}");
        }
    }

    async fn the_readme_leads_from_an_empty_store_to_a_check_that_answers_yes(world: World) {
        let way: Vec<String> = blocks(&page("README.md"), "sh").into_iter().filter(|block| block.contains("/api/v1/check")).collect();
        let [way] = &way[..] else { panic!("the README has lost its way: {way:?}") };
        assert!(way.lines().count() < 15, "it is short: {way}");
        let output = follow(&world, std::slice::from_ref(way)).await;
        let out = String::from_utf8_lossy(&output.stdout);
        let answer = out.lines().find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object));
        assert_eq!(answer.map(|answer| answer["allowed"].clone()), Some(Value::Bool(true)), "{out}");
    }
}
