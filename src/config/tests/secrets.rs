//! Secrets: where they may come from, and that they appear nowhere.

use rstest::rstest;

use super::*;
use crate::config::{GoogleCredentials, SourceKind, show};

const GOOGLE: &str =
    "config_version = 1\n[sources.g]\nkind = 'google_workspace'\nsubject = 'a@example.com'\ncustomer = 'c'\n";

fn google(credentials: &str) -> String {
    format!("{GOOGLE}credentials = {credentials}\n")
}

fn token_of(deployment: &Deployment) -> String {
    match &source_of(&deployment.load().unwrap().config, "dc").kind {
        SourceKind::DeployCenter(kind) => kind.token.expose().to_owned(),
        _ => panic!("expected deploycenter"),
    }
}

#[test]
fn a_secret_file_loses_its_trailing_newline() {
    let deployment = Deployment::of("");
    let path = deployment.write("token", " t0ken \r\n");
    let reference = format!("{{ file = {} }}", quoted(&path));
    deployment.write("config.toml", &SOURCE.replace("{ env = \"DC_TOKEN\" }", &reference));
    assert_eq!(token_of(&deployment), " t0ken ");
    for (text, says) in [("\n", "is empty"), ("two s3cret\nlines", "one line of printable ASCII")] {
        deployment.write("token", text);
        let problems = problems(&deployment);
        assert!(problems[0].starts_with("sources.dc.token: "), "{problems:?}");
        assert!(problems[0].contains(says) && !problems[0].contains("s3cret"), "{problems:?}");
    }
}

#[rstest]
#[case("\"s3cret\"", "secrets only by environment or file")]
#[case("42", "secrets only by environment or file")]
#[case("[\"s3cret\"]", "secrets only by environment or file")]
#[case("{}", "secrets only by environment or file")]
#[case("{ env = 'DC_TOKEN', file = '/x' }", "secrets only by environment or file")]
#[case("{ env = 'NOT_SET' }", "the environment variable NOT_SET is not set")]
#[case("{ env = 'EMPTY' }", "the environment variable EMPTY is empty")]
#[case("{ file = '/nowhere/x' }", "the file /nowhere/x cannot be read: No such file")]
fn other_secrets_are_refused_without_an_echo(#[case] value: &str, #[case] says: &str) {
    let text = SOURCE.replace("{ env = \"DC_TOKEN\" }", value);
    let deployment = Deployment::of(&text).with("DC_TOKEN", "t").with("EMPTY", "");
    let error = deployment.load().unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(error.to_string().contains(&format!(": sources.dc.token: {says}")), "{error}");
    assert!(!format!("{error}{error:?}").contains("s3cret"));
}

#[test]
fn secrets_appear_in_no_text() {
    let text = source(
        "[[http.keys]]\nname = 'a'\nsecret = { env = 'K' }\nscopes = ['read']\n\
         [database]\nurl = 'postgres://me:pg-s3cret@db/entitled?sslpassword=s3cret&a=b'\n\
         [sentry]\ndsn = 'https://dsn-s3cret@sentry.example/1'\n",
    );
    let deployment = Deployment::of(&text).with("DC_TOKEN", "dc-s3cret").with("K", "k-s3cret");
    let loaded = deployment.load().unwrap();
    let redacted = "postgres://me:***@db/entitled?sslpassword=***&a=b";
    assert_eq!(loaded.config.database.redacted(), redacted);
    let shown = show(&loaded.config);
    assert!(shown.contains(redacted), "{shown}");
    assert!(shown.contains("dsn = \"https://***@sentry.example/1\""), "{shown}");
    for text in [shown, format!("{loaded:?}"), format!("{loaded:#?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn service_account_keys_come_from_files_and_variables() {
    let deployment = Deployment::of(&google("{ env = 'KEY' }")).with("KEY", KEY_JSON);
    let loaded = deployment.load().unwrap();
    assert!(!format!("{loaded:?}{}", show(&loaded.config)).contains("PRIVATE KEY"));
    let keyless = "{ keyless = true, service_account = 's@p.iam.gserviceaccount.com' }";
    let config = Deployment::of(&google(keyless)).load().unwrap().config;
    let SourceKind::GoogleWorkspace(kind) = &source_of(&config, "g").kind else { panic!("expected google_workspace") };
    let service_account = "s@p.iam.gserviceaccount.com".to_owned();
    assert_eq!(kind.credentials, GoogleCredentials::Keyless { service_account });
}

#[rstest]
#[case("\"s3cret\"", "credentials: expected a table")]
#[case("{ env = 'JUNK' }", "credentials: expected a service account's key: a JSON object")]
#[case("{ env = 'PARTIAL' }", "credentials: expected a service account's key: the field `private_key` is missing")]
#[case("{ env = 'NOT_SET' }", "credentials: the environment variable NOT_SET is not set")]
#[case("{ keyless = true }", "credentials: expected one of { file")]
#[case("{ keyless = false }", "credentials: secrets only by environment or file")]
#[case("{ service_account = 's@p' }", "credentials: expected one of { file")]
#[case("{ keyless = true, service_account = 's@p', file = '/x' }", "credentials: expected one of { file")]
#[case("{ keyless = true, service_account = 's p' }", "credentials.service_account: expected an e-mail")]
#[case("{}", "credentials: ")]
fn impossible_credentials_are_refused(#[case] value: &str, #[case] says: &str) {
    let deployment =
        Deployment::of(&google(value)).with("JUNK", "s3cret").with("PARTIAL", "{\"client_email\": \"a@b\"}");
    let problems = problems(&deployment);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with(&format!("sources.g.{says}")), "{problems:?}");
    assert!(!problems[0].contains("s3cret"));
}

#[test]
fn missing_credentials_are_one_problem() {
    let problems = problems(&Deployment::of(GOOGLE));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("sources.g.credentials: missing: expected { file"));
}
