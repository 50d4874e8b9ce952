//! What is refused, and how it is said.

use rstest::rstest;

use super::*;

const FAULTY: &str = r#"config_version = 2

[database]
url = "mysql://db/entitled"
max_conections = 5

[http]
listen = "localhost"

[[http.keys]]
name = "a"
secret = "very-s3cret"
scopes = ["write"]

[sources.deploycenter]
kind = "deploycenter"
base_url = "https://deploycenter.example/api/v1.0/entitlements"
service_id = "42"
token = { env = "MISSING_TOKEN" }
schedule = "*/15 * * * *"
cache_tll = "5m"

[sources.ldap]
kind = "ldap"
"#;

#[test]
fn ten_faults_are_ten_problems_in_one_error() {
    let deployment = Deployment::of(FAULTY);
    let error = deployment.load().unwrap_err();
    let text = error.to_string();
    let file = deployment.file().display().to_string();
    let expected = [
        "1: config_version: expected 1",
        "4: database.url: expected sqlite://PATH",
        "5: database.max_conections: unknown key (did you mean `max_connections`?); allowed keys: auto_migrate, ",
        "8: http.listen: expected an address and port",
        "12: http.keys[0].secret: secrets only by environment or file: use { env = \"NAME\" } or { file = \"PATH\" }",
        "13: http.keys[0].scopes[0]: expected one of the scopes hook:login, hook:deploycenter, provision:<resource_type>, check, read, admin",
        "17: sources.deploycenter.base_url: expected an http:// or https:// address ending in `/`",
        "18: sources.deploycenter.service_id: expected an integer",
        "19: sources.deploycenter.token: the environment variable MISSING_TOKEN is not set",
        "20: sources.deploycenter.schedule: expected a cron expression of 6 or 7 fields, seconds first",
        "21: sources.deploycenter.cache_tll: unknown key (did you mean `cache_ttl`?)",
        "24: sources.ldap.kind: expected \"deploycenter\", \"local\", \"google_workspace\" or \"scim\"",
    ];
    assert_eq!(error.problems().len(), expected.len() + 1, "{text}");
    for line in expected {
        assert!(text.contains(&format!("\n  {file}:{line}")), "{line}\n{text}");
    }
    assert!(text.starts_with("the configuration has 13 problems:\n"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[rstest]
#[case("[database]\nurl = 'sqlite://a'\n[database]\n", 3, "duplicate")]
#[case("a = 1\nb = \n[x\n", 2, "not TOML")]
fn syntax_errors_name_file_and_line(#[case] text: &str, #[case] line: usize, #[case] says: &str) {
    let deployment = Deployment::of(text);
    let error = deployment.load().unwrap_err().to_string();
    let place = format!("{}:{line}: ", deployment.file().display());
    assert!(error.contains(&place) && error.contains(says), "{error}");
}

#[test]
fn a_missing_file_that_was_asked_for_is_refused() {
    let error = load(Some(Path::new("/nowhere/config.toml")), &BTreeMap::new()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/config.toml: cannot read the configuration file"));
}

#[rstest]
#[case("unknown = 1", "unknown: unknown key; allowed keys: config_version, database, ")]
#[case("database = 3", "database: expected a table")]
#[case("[database]\nurl = 3", "database.url: ")]
#[case("[database]\nurl = 'sqlite:entitled.db'", "database.url: expected sqlite://PATH")]
#[case("[database]\nmax_connections = 0", "database.max_connections: expected an integer from 1 to 1000")]
#[case("[database]\nauto_migrate = 'yes'", "database.auto_migrate: expected true or false")]
#[case("[database]\nconnect_timeout = 5", "database.connect_timeout: expected a duration such as \"10s\"")]
#[case("[database]\nconnect_timeout = '5'", "database.connect_timeout: expected a duration such as \"10s\"")]
#[case("[database]\nconnect_timeout = '99999999999999999999d'", "database.connect_timeout: expected a duration")]
#[case("[http]\nkeys = 3", "http.keys: expected a list of tables")]
#[case("[http]\nkeys = [3]", "http.keys[0]: expected a table")]
#[case("[identity.proxy]\naddresses = ['x']", "identity.proxy.addresses[0]: expected an address or a network")]
#[case(
    "[identity.proxy]\naddresses = ['10.0.0.0/33']",
    "identity.proxy.addresses[0]: expected an address or a network"
)]
#[case("[identity.proxy]\nheader = 'x-email'", "identity.proxy.header: expected `addresses` too")]
#[case("[identity.proxy]\naddresses = ['::1']\nheader = 'x email'", "identity.proxy.header: expected a header's name")]
#[case("[identity.proxy]\naddresses = ['::1']\nheader = 'Authorization'", "identity.proxy.header: expected another")]
#[case("[identity.oidc]\nissuer = 'https://id.example'", "identity.oidc.audience: missing: expected")]
#[case("[identity.oidc]\naudience = 'entitled'", "identity.oidc.issuer: missing: expected")]
#[case(
    "[identity.oidc]\naudience = 'a'\nissuer = 'id.example'",
    "identity.oidc.issuer: expected an http:// or https://"
)]
#[case(
    "[identity.oidc]\naudience = 'a'\nissuer = 'https://id.example'\nleeway = '1h'",
    "identity.oidc.leeway: expected a"
)]
#[case("[history]\naccesses_kept = '0s'", "history.accesses_kept: expected a duration from 1m to 3650d")]
#[case("[hooks.login]\ndeadline = '0s'", "hooks.login.deadline: expected a duration from 10ms to 1m")]
#[case("[scheduler]\ngrace = '11m'", "scheduler.grace: expected a duration from 10ms to 10m")]
#[case("[log]\nformat = 'xml'", "log.format: expected \"text\" or \"json\"")]
#[case("[log]\nlevel = 'inof'", "log.level: expected a level")]
#[case("[sentry]\ndsn = 'https://sentry.example/1'", "sentry.dsn: expected a DSN such as https://KEY@HOST/PROJECT")]
#[case("[sentry]\ndsn = 'https://key@sentry.example/'", "sentry.dsn: expected a DSN")]
#[case("[sources]\nx = 1", "sources.x: expected a table")]
#[case("[sources.x]", "sources.x.kind: missing: expected \"deploycenter\", ")]
#[case("[sources.Bad]\nkind = 'local'", "sources.Bad: a source's name must be 1 to 63 of a-z, 0-9 and _")]
#[case("[sources.admin]\nkind = 'local'", "sources.admin: a source's name must be none of the reserved admin")]
#[case("[sources.l]\nkind = 'local'\nfile = '/nowhere/x'", "sources.l.file: the file /nowhere/x cannot be read: ")]
#[case("[sources.l]\nkind = 'local'\nfallback = 'local'", "sources.l.fallback: only a source of kind \"deploycenter\"")]
fn one_fault_is_one_problem(#[case] lines: &str, #[case] says: &str) {
    let problem = problem(&format!("config_version = 1\n{lines}\n"));
    assert!(problem.starts_with(says), "{problem}");
}

#[rstest]
#[case("timeout = '1ms'", "timeout: expected a duration from 10ms to 10m")]
#[case("retry = { attempts = 11 }", "retry.attempts: expected an integer from 1 to 10")]
#[case("retry = { base = '2s', max = '1s' }", "retry.base: expected no more than `max`")]
#[case("guard = { max_removal_ratio = 1.5 }", "guard.max_removal_ratio: expected a number from 0 to 1")]
#[case("guard = { max_removal_ratio = nan }", "guard.max_removal_ratio: expected a number from 0 to 1")]
#[case("guard = { max_removals = -1 }", "guard.max_removals: expected an integer from 0")]
#[case("group_guard = { max_removals = 'all' }", "group_guard.max_removals: expected an integer from 0")]
#[case("removal = { grace = '-1h' }", "removal.grace: expected a duration such as")]
#[case("removal = { grace = '366d' }", "removal.grace: expected a duration from 0s to 365d")]
#[case("removal = { confirm = 3 }", "removal.confirm: expected an integer from 1 to 2")]
#[case("removal = { confirm_above = 5 }", "removal.confirm_above: expected `confirm = 2` beside it")]
#[case("removal = '72h'", "removal: expected a table")]
#[case("on_hold = 'apply'", "on_hold: expected \"hold_all\" or \"apply_additions\"")]
#[case("group = [{ privileged = true }]", "group[0].name: missing: expected the name of a group")]
#[case("group = [{ name = 'A@x.org' }, { name = 'a@X.org ' }]", "group: expected each group once")]
#[case(
    "group = [{ name = 'a', privileged = true, removal = { grace = '1h' } }]",
    "group[0].removal: expected no grace"
)]
#[case("group = [{ name = 'Admin', removal = { grace = '1h' } }]", "group[0].removal: expected no grace")]
#[case("group = [{ name = 'a', removal = { confirm = 2 } }]", "group[0].removal.confirm: unknown key")]
#[case("rate = { per_second = 0 }", "rate.per_second: expected an integer from 1")]
#[case("rate = { per_minute = 1 }", "rate.per_minute: unknown key; allowed keys: burst, per_second")]
#[case("rate = 20", "rate: expected a table")]
#[case("claims = 'siret'", "claims: expected a list of strings")]
#[case("claims = ['siret', 3]", "claims[1]: expected the name of a claim")]
#[case("claims = ['siret', 'siret']", "claims: expected each claim once")]
#[case("claims = ['account_id']", "claims[0]: expected another claim than")]
#[case("method = 'PUT'", "method: expected \"GET\" or \"POST\"")]
#[case("fallback = 'other'", "fallback: expected \"local\"")]
#[case("prefix = 'x'", "prefix: unknown key; allowed keys: ")]
#[case("schedule = '0 0 * * * * * *'", "schedule: expected a cron expression")]
#[case("schedule = '0 0 * * * Noday'", "schedule: expected a cron expression")]
#[case("schedule = '0 0 0 30 2 *'", "schedule: expected a schedule that comes")]
#[case(
    "map = [{ entitlement = 'e', resource_type = 'R', permission = 'p' }]",
    "map[0].resource_type: expected lower-case"
)]
#[case("map = [{ resource_type = 'r', permission = 'p' }]", "map[0].entitlement: missing: expected the key")]
#[case(
    "map = [{ entitlement = 'e', resource_type = 'r', permission = 'p' }, { entitlement = 'e', resource_type = 's', permission = 'p' }]",
    "map: expected one rule for the entitlement \"e\" and the permission \"p\""
)]
fn one_fault_of_a_source_is_one_problem(#[case] line: &str, #[case] says: &str) {
    let problem = problem(&source(line));
    assert!(problem.starts_with(&format!("sources.dc.{says}")), "{problem}");
}

#[rstest]
#[case("domain = 'example.com'\ncustomer = 'c'", "customer: expected exactly one of")]
#[case("", "customer: expected exactly one of")]
#[case("domain = 'exa mple'", "domain: expected a domain name")]
#[case("customer = 'c'\nnested = 'yes'", "nested: expected \"expand\" or \"direct\"")]
#[case("customer = 'c'\nconcurrency = 0", "concurrency: expected an integer from 1 to 64")]
#[case("customer = 'c'\napi_base = 'ftp://x/'", "api_base: expected an http:// or https:// address")]
#[case("customer = 'c'\nadmin_group = 'A@x.org'\neveryone_group = 'a@X.org'", "everyone_group: expected another group")]
#[case("customer = 'c'\nadmin_group = 'a'", "admin_group: expected an e-mail address")]
fn impossible_workspaces_are_refused(#[case] lines: &str, #[case] says: &str) {
    let problem = problem(&format!(
        "config_version = 1\n[sources.g]\nkind = 'google_workspace'\nsubject = 'a@example.com'\n\
         credentials = {{ keyless = true, service_account = 's@p.iam.gserviceaccount.com' }}\n{lines}\n"
    ));
    assert!(problem.starts_with(&format!("sources.g.{says}")), "{problem}");
}

#[test]
fn twin_keys_are_refused() {
    let key = "[[http.keys]]\nname = 'a'\nsecret = { env = 'K' }\nscopes = ['read']\n";
    let deployment = Deployment::of(&format!("config_version = 1\n{key}{key}")).with("K", "s3cret");
    let problems = problems(&deployment);
    assert!(problems.contains(&"http.keys: two keys are named \"a\": expected different names".into()));
    assert!(problems.iter().any(|problem| problem.contains("have the same secret")));
    assert_eq!(problems.len(), 2);
}
