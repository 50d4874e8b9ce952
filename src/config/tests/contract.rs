//! The contract's example, the reference, and `show`.

use std::time::Duration;

use super::*;
use crate::config::{Directory, Fallback, GoogleCredentials, Nested, Scope, SourceKind, reference, show};

const EXAMPLE: &str = r#"
config_version = 1

[database]
url = "sqlite://entitled.db"

[http]
listen = "127.0.0.1:8420"

[[http.keys]]                   # machine callers; people and scripts get tokens (see the issues)
name = "login-hook"
secret = { env = "ENTITLED_LOGIN_KEY" }
scopes = ["hook:login"]

[sources.deploycenter]
kind = "deploycenter"
base_url = "https://deploycenter.example/api/v1.0/entitlements/"
service_id = 42
token = { env = "DEPLOYCENTER_TOKEN" }
claims = ["siret"]              # persisted from the login, sent as query parameters
schedule = "0 */15 * * * *"     # seconds first; UTC
timeout = "10s"
cache_ttl = "5m"
rate = { per_second = 20, burst = 40 }
fallback = "local"              # answers when the backend is unavailable and nothing is stored
guard = { max_removal_ratio = 0.25, max_removals = 100, min_memberships = 20 }

[[sources.deploycenter.map]]    # a mapped entitlement
entitlement = "can_admin_maildomains"
resource_type = "maildomain"
permission = "admin"

[sources.google_sync]
kind = "google_workspace"
subject = "admin@example.com"   # the administrator impersonated by domain-wide delegation
credentials = { file = "KEY" }
customer = "my_customer"        # or domain = "example.com"
nested = "expand"               # or "direct"
prefix = "grp_acme_"
admin_group = "grp_acme_admin@example.com"
everyone_group = "grp_acme_all@example.com"
schedule = "0 0 * * * *"
"#;

fn example() -> Deployment {
    let deployment =
        Deployment::of("").with("ENTITLED_LOGIN_KEY", "login-s3cret").with("DEPLOYCENTER_TOKEN", "dc-s3cret");
    let key = deployment.write("key.json", KEY_JSON);
    deployment.write("config.toml", &EXAMPLE.replace("\"KEY\"", &quoted(&key)));
    deployment
}

#[test]
fn the_example_of_the_contract_loads() {
    let deployment = example();
    let loaded = deployment.load().unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.file, Some(deployment.file()));
    let config = loaded.config;
    let key = &config.http.keys[0];
    assert_eq!(key.secret.expose(), "login-s3cret");
    assert_eq!(key.scopes, [Scope::HookLogin].into());
    let deploycenter = source_of(&config, "deploycenter");
    assert_eq!(deploycenter.common.timeout, Duration::from_secs(10));
    let SourceKind::DeployCenter(kind) = &deploycenter.kind else { panic!("expected deploycenter") };
    assert_eq!((kind.service_id, kind.fallback), (42, Some(Fallback::Local)));
    assert_eq!(kind.map[0].facet.resource_type, "maildomain");
    let SourceKind::GoogleWorkspace(google) = &source_of(&config, "google_sync").kind else {
        panic!("expected google_workspace")
    };
    assert_eq!(google.directory, Directory::Customer("my_customer".into()));
    assert_eq!(google.nested, Nested::Expand);
    assert_eq!(google.effective_token_uri().as_str(), "https://oauth2.googleapis.com/token");
    let GoogleCredentials::Key(key) = &google.credentials else { panic!("expected a key") };
    assert_eq!(key.client_email, "sync@project.iam.gserviceaccount.com");
}

#[test]
fn the_reference_equals_the_built_in_defaults() {
    let loaded = loaded(reference());
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn an_empty_file_means_the_defaults_with_a_warning() {
    let loaded = loaded("");
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].ends_with("config.toml: config_version: missing, read as 1"));
}

#[test]
fn no_file_means_the_defaults() {
    let loaded = load(None, &BTreeMap::new()).unwrap();
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn every_example_of_the_reference_is_valid_and_says_the_default() {
    let deployment = uncommented_reference();
    let config = deployment.load().unwrap().config;
    assert_eq!(config.sources.len(), 4);
    let least = Deployment::of(SOURCE).with("DC_TOKEN", "t").load().unwrap();
    let mut common = source_of(&config, "deploycenter").common.clone();
    assert!(common.schedule.take().is_some() && common.fresh_within.take().is_some());
    assert_eq!(common, source_of(&least.config, "dc").common);
    let SourceKind::Scim(mut scim) = source_of(&config, "directory").kind.clone() else { panic!("expected scim") };
    assert!(scim.prefix.take().is_some() && scim.admin_group.take().is_some() && scim.everyone_group.take().is_some());
    let least = Deployment::of(
        "config_version = 1\n[sources.directory]\nkind = 'scim'\nbase_url = 'https://directory.example/scim/v2'\n\
         token = { env = 'SCIM_TOKEN' }\n",
    );
    let least = least.with("SCIM_TOKEN", "scim-s3cret").load().unwrap().config;
    assert_eq!(SourceKind::Scim(scim), source_of(&least, "directory").kind);
}

#[test]
fn what_is_shown_reads_back_to_the_same() {
    for deployment in [example(), uncommented_reference(), Deployment::of("")] {
        let config = deployment.load().unwrap().config;
        let shown = show(&config);
        deployment.write("config.toml", &shown);
        let again = deployment.load().unwrap();
        assert_eq!(again.config, config, "{shown}");
        assert_eq!(again.warnings, Vec::<String>::new());
        assert_eq!(show(&again.config), shown);
    }
}

#[test]
fn what_is_shown_names_secrets_by_origin() {
    let shown = show(&example().load().unwrap().config);
    assert!(shown.contains(r#"token = { env = "DEPLOYCENTER_TOKEN" }"#), "{shown}");
    assert!(shown.contains(r#"rate = { burst = 40, per_second = 20 }"#), "{shown}");
    assert!(!shown.contains("s3cret") && !shown.contains("PRIVATE"), "{shown}");
}

/// The reference with every example line switched on.
fn uncommented_reference() -> Deployment {
    let text: String = reference()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.starts_with(' ') => format!("{example}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let deployment = Deployment::of("")
        .with("ENTITLED_LOGIN_KEY", "login-s3cret")
        .with("DEPLOYCENTER_TOKEN", "dc-s3cret")
        .with("DEPLOYCENTER_OPERATOR_KEY", "op-s3cret")
        .with("SCIM_TOKEN", "scim-s3cret")
        .with("ENTITLED_SENTRY_DSN", "https://public@sentry.example/7");
    let key = deployment.write("key.json", KEY_JSON);
    let local = deployment.write("local.toml", "[users]\n");
    let text =
        text.replace("\"/run/secrets/google.json\"", &quoted(&key)).replace("\"config/local.toml\"", &quoted(&local));
    deployment.write("config.toml", &text);
    deployment
}
