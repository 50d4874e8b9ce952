//! What variables set, and what they cannot.

use rstest::rstest;

use super::*;
use crate::config::{LogFormat, Secret, SecretOrigin, SourceKind, show};

fn deploycenter(deployment: &Deployment) -> (SourceConfig, crate::config::DeployCenterConfig) {
    let config = deployment.load().unwrap().config;
    let source = source_of(&config, "dc").clone();
    match source.kind.clone() {
        SourceKind::DeployCenter(kind) => (source, *kind),
        _ => panic!("expected deploycenter"),
    }
}

#[test]
fn variables_override_the_file() {
    let deployment = Deployment::of(&source("rate = { per_second = 1, burst = 2 }\n"))
        .with("DC_TOKEN", "t")
        .with("ENTITLED_DATABASE__URL", "postgres://db/entitled")
        .with("ENTITLED_database__max_connections", "3")
        .with("ENTITLED_LOG__FORMAT", "json")
        .with("ENTITLED_HOOKS__LOGIN__ENFORCE_CAN_ACCESS", "true")
        .with("ENTITLED_SOURCES__DC__CLAIMS", "siret, idp_id")
        .with("ENTITLED_SOURCES__DC__OPTIONAL_CLAIMS", "[\"a,b\"]")
        .with("ENTITLED_SOURCES__DC__RATE__BURST", "9")
        .with("ENTITLED_SOURCES__DC__GUARD", "{ max_removals = 5 }")
        .with("ENTITLED_SOURCES__DC__GUARD__MIN_MEMBERSHIPS", "7")
        .with("ENTITLED_SOURCES__DC__ACCOUNT_TYPE", "007")
        .with("ENTITLED_SOURCES__DC__MAP", "[{ entitlement = 'e', resource_type = 'r', permission = 'p' }]");
    let config = deployment.load().unwrap().config;
    assert_eq!(config.database.url.expose(), "postgres://db/entitled");
    assert_eq!(config.database.max_connections, 3);
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.hooks.login.enforce_can_access);
    let (source, kind) = deploycenter(&deployment);
    assert_eq!((source.common.rate.per_second.get(), source.common.rate.burst.get()), (1, 9));
    assert_eq!((source.common.removal.guard.max_removals, source.common.removal.guard.min_memberships), (5, 7));
    assert_eq!(kind.account_type, "007");
    assert_eq!(kind.map.len(), 1);
    assert_eq!(kind.required_claims().collect::<Vec<_>>(), ["siret"]);
    assert_eq!(kind.sent_claims().collect::<Vec<_>>(), ["siret", "idp_id", "a,b"]);
    assert!(show(&config).contains("url = \"postgres://db/entitled\""));
}

#[test]
fn a_source_can_come_from_variables_alone() {
    let deployment = Deployment::of("config_version = 1")
        .with("ENTITLED_SOURCES__DC__KIND", "deploycenter")
        .with("ENTITLED_SOURCES__DC__BASE_URL", "http://127.0.0.1:9/")
        .with("ENTITLED_SOURCES__DC__SERVICE_ID", "42")
        .with("ENTITLED_SOURCES__DC__TOKEN", "{ env = \"TOKEN\" }")
        .with("TOKEN", "t");
    assert_eq!(deploycenter(&deployment).1.service_id, 42);
    let bare = deployment.with("ENTITLED_SOURCES__OTHER__KIND", "local");
    assert_eq!(bare.load().unwrap().config.sources.len(), 2);
}

#[test]
fn a_secret_may_stand_in_its_own_variable() {
    let deployment = Deployment::of(SOURCE).with("ENTITLED_SOURCES__DC__TOKEN", "t0ken");
    let (_, kind) = deploycenter(&deployment);
    assert_eq!(kind.token.expose(), "t0ken");
    let origin = SecretOrigin::Variable("ENTITLED_SOURCES__DC__TOKEN".into());
    assert_eq!(kind.token.origin(), &origin);
}

#[rstest]
#[case("ENTITLED_DATABSE__URL", "x", "databse: unknown key (did you mean `database`?); allowed keys: ")]
#[case("ENTITLED_DATABASE__URI", "x", "database.uri: unknown key (did you mean `url`?)")]
#[case("ENTITLED_DATABASE__MAX_CONNECTIONS", "many", "database.max_connections: expected an integer from 1 to 1000")]
#[case("ENTITLED_DATABASE__", "x", "database.: a key is missing beside `__`")]
#[case("ENTITLED_HTTP__KEYS", "a,b", "http.keys: expected a list of tables")]
#[case("ENTITLED_HTTP__KEYS__0__NAME", "a", "http.keys.0.name: a list is set as a whole")]
#[case("ENTITLED_SOURCES__DC__SERVICE_ID", "s3cret", "sources.dc.service_id: expected an integer of at least 1")]
#[case("ENTITLED_SOURCES__DC__TOKEN", "{ s3cret", "sources.dc.token: expected a table")]
#[case("ENTITLED_SOURCES__DC__RATE", "s3cret", "sources.dc.rate: expected a table")]
fn a_problem_of_a_variable_names_it(#[case] name: &str, #[case] text: &str, #[case] says: &str) {
    let keys = "[[http.keys]]\nname = 'a'\nsecret = { env = 'DC_TOKEN' }\nscopes = ['read']\n";
    let deployment = Deployment::of(&source(keys)).with("DC_TOKEN", "t").with(name, text);
    let error = deployment.load().unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    let line = error.problems()[0].to_string();
    assert!(line.starts_with(&format!("{name}: {says}")), "{line}");
    assert!(!line.contains("s3cret"), "{line}");
}

#[test]
fn two_variables_for_one_key_are_refused() {
    let twice =
        Deployment::of("config_version = 1").with("ENTITLED_LOG__LEVEL", "info").with("ENTITLED_log__level", "debug");
    assert!(problems(&twice)[0].contains("the variable ENTITLED_LOG__LEVEL sets the same key"));
    let nested = Deployment::of("config_version = 1")
        .with("ENTITLED_DATABASE__URL", "sqlite://a")
        .with("ENTITLED_DATABASE__URL__ENV", "B");
    assert!(problems(&nested)[0].contains("ENTITLED_DATABASE__URL sets the whole value"));
}

#[test]
fn variables_that_are_no_settings_are_ignored() {
    let deployment = Deployment::of("config_version = 1")
        .with("ENTITLED_LOGIN_KEY", "s")
        .with("ENTITLED", "s")
        .with("OTHER__DATABASE__URL", "s")
        .with("É__NTITLED__X", "s");
    assert_eq!(deployment.load().unwrap().config, Config::default());
}

#[test]
fn sentry_dsn_switches_sentry_on_unless_the_file_does() {
    let environment = "https://public@sentry.example/1";
    let dsn = |text: &str| {
        let deployment = Deployment::of(text).with("SENTRY_DSN", environment);
        let dsn = deployment.load().unwrap().config.sentry.dsn;
        dsn.as_ref().map(Secret::expose).map(str::to_owned)
    };
    assert_eq!(dsn("config_version = 1").as_deref(), Some(environment));
    let of_file = "https://public@sentry.example/2";
    let text = format!("config_version = 1\n[sentry]\ndsn = '{of_file}'");
    assert_eq!(dsn(&text).as_deref(), Some(of_file));
    let empty = Deployment::of("config_version = 1").with("SENTRY_DSN", "");
    assert_eq!(empty.load().unwrap().config.sentry.dsn, None);
    let wrong = Deployment::of("config_version = 1").with("SENTRY_DSN", "s3cret");
    let error = wrong.load().unwrap_err().to_string();
    assert!(error.contains("SENTRY_DSN: sentry.dsn: expected a DSN"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}
