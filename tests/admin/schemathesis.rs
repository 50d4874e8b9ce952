//! schemathesis, which shares no code and no author with entitled, sends what the OpenAPI document allows, and what it does not.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::hand::{ANN, BOB, grant, group, group_of, head, id_of, user};
use crate::on_both_stores;
use crate::support::{Daemon, PATIENCE};
use crate::tokens::{promote, token};

/// Requests that are made up for each route, beside the edges of each parameter: ENTITLED_TEST_ROUNDS asks for more.
const EXAMPLES: &str = "6";
const CHECKS: &str = "no_fault_of_its_own,every_answer_has_its_request_id,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,missing_required_header,\
    unsupported_method,allow_header_conformance";

/// A key that may do everything that a key may.
const KEY: &str = r#"
[[http.keys]]
name = "everything"
secret = { env = "EVERY_KEY" }
scopes = ["read", "admin", "hook:login", "hook:deploycenter", "check", "provision:maildomain"]
"#;

/// Makes something of every kind, and tells schemathesis where it is; what is deleted on the way leaves a second one.
async fn stage(daemon: &Daemon) -> String {
    let (ann, bob) = (user(daemon, ANN).await, user(daemon, BOB).await);
    promote(daemon, &ann).await;
    let editors = group_of(daemon, "Editors", &bob).await;
    let (writers, readers) = (group(daemon, "Writers").await, group(daemon, "Readers").await);
    let mut grants = Vec::new();
    for domain in ["a.fr", "b.fr", "c.fr"] {
        grants.push(grant(daemon, &readers, "admin", domain).await);
    }
    let mut tokens = Vec::new();
    for owner in [&ann, &bob, &bob, &ann] {
        tokens.push(token(daemon, json!({ "owner": owner })).await.0);
    }
    let (_, secret) = token(daemon, json!({"owner": ann, "scopes": ["admin"]})).await;
    let groups = [&editors, &writers, &readers].map(|path| id_of(path));
    let mut told = String::from("[dictionaries]\n");
    for (name, ids) in [
        ("groups", groups.to_vec()),
        ("users", vec![bob.clone(), ann]),
        ("bob", vec![bob]),
        ("grants", grants),
        ("tokens", tokens),
        ("types", vec!["maildomain".to_owned()]),
    ] {
        told += &format!("{name} = {{ values = {} }}\n", json!(ids));
    }
    for (paths, parameter, dictionary) in [
        ("^/api/v1/admin/groups/", "path.id", "groups"),
        ("^/api/v1/admin/groups/.*/members/", "path.user_id", "users"),
        ("^/api/v1/admin/users/", "path.id", "users"),
        ("^/api/v1/admin/grants/", "path.id", "grants"),
        ("^/api/v1/(admin|me)/tokens/", "path.id", "tokens"),
        ("^/api/v1/admin/roles/users/", "path.id", "bob"),
        ("^/api/v1/admin/roles/groups/", "path.id", "groups"),
        ("^/api/v1/(provisioning|resources|admin/resources)/", "path.resource_type", "types"),
    ] {
        told += &format!(
            "[[operations]]\ninclude-path-regex = '{paths}'\n[operations.parameters]\n\"{parameter}\" = {{ dictionary = \"{dictionary}\", probability = 0.8 }}\n"
        );
    }
    told += &format!(
        "[[operations]]\ninclude-path-regex = '^/api/v1/(me/|users/me)'\nheaders = {{ Authorization = \"Bearer {secret}\" }}\n"
    );
    told
}

/// `None`, and said so, where there are no peers.
async fn schemathesis(folder: &Path, daemon: &Daemon) -> Option<(i32, String)> {
    let Some(peers) = std::env::var_os("ENTITLED_TEST_PEERS") else {
        eprintln!("NOT CHECKED by schemathesis: ENTITLED_TEST_PEERS names no folder (scripts/test makes one)");
        return None;
    };
    let settings = folder.join("schemathesis.toml");
    std::fs::write(&settings, stage(daemon).await).expect("written");
    let examples = std::env::var("ENTITLED_TEST_ROUNDS").unwrap_or_else(|_| EXAMPLES.to_owned());
    let mut command = tokio::process::Command::new(Path::new(&peers).join("bin/python"));
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(settings).arg("run");
    command.arg(format!("{}/api/openapi.json", daemon.base)).args(["--header", "Authorization: Bearer every-key"]);
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", &examples]);
    command.args(["--generation-deterministic", "--continue-on-failure", "--no-color", "--warnings", "off"]);
    command.env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers"));
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_checks").env("PYTHONDONTWRITEBYTECODE", "1");
    let running = command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true).output();
    let ended =
        tokio::time::timeout(6 * PATIENCE, running).await.expect("it ends").expect("the peers hold schemathesis");
    let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Some((ended.status.code().unwrap_or(-1), text))
}

on_both_stores! {
    async fn whatever_is_sent_is_answered_as_the_document_says(world: World) {
        // M5
        let mut world = world;
        world.environment.push(("EVERY_KEY".to_owned(), "every-key".to_owned()));
        world.configure_also(KEY);
        let daemon = crate::hand::serve(&mut world).await;
        let before = head(&world).await;
        let Some((code, told)) = schemathesis(world.path(), &daemon).await else { return };
        assert_eq!(code, 0, "{told}");
        let after = head(&world).await;
        assert!(after > before, "some of it has had an effect: {told}");
    }
}
