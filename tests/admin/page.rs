//! The page about the interface (`docs/api.md`), followed by a reader with a shell: each of its blocks runs as it stands.

use std::path::Path;

use crate::hand::serve;
use crate::on_both_stores;

/// The blocks of a page in that language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().expect("an end").to_owned()).collect()
}

on_both_stores! {
    async fn each_line_of_the_page_runs_and_answers_as_it_says(world: World) {
        let mut world = world;
        let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).expect("a page");
        let daemon = serve(&mut world).await;
        let script = blocks(&page, "sh");
        assert!(script.len() >= 8, "the page has lost its lines");
        let mut whole = "set -euo pipefail\n".to_owned();
        for block in &script {
            whole.push_str(block);
            whole.push_str("\necho '---'\n");
        }
        let mut command = tokio::process::Command::new("bash");
        command.arg("-c").arg(&whole).current_dir(world.path());
        command.env("ENTITLED", &daemon.base).env("ADMIN_KEY", "admin-key").env("APP_KEY", "check-key");
        command.env("READ_KEY", "read-key").env("LOGIN_KEY", "login-key");
        let output = command.output().await.expect("bash, curl and jq");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{whole}\n{out}\n{err}");
        let answers: Vec<&str> = out.split("---\n").collect();
        for (said, expected) in blocks(&page, "json").iter().enumerate() {
            let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON in the page");
            let found = answers.iter().filter_map(|answer| serde_json::from_str::<serde_json::Value>(answer).ok());
            assert!(found.into_iter().any(|answer| answer == expected), "answer {said} of the page is none of these:\n{out}");
        }
    }
}
