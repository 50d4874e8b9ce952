//! Small values: durations, schedules, scopes, addresses, suggestions.

use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::config::{Schedule, Scope, SourceKind, duration, suggest};

#[rstest]
#[case("1500ms", Some(1_500))]
#[case("2s", Some(2_000))]
#[case("3m", Some(180_000))]
#[case("1h", Some(3_600_000))]
#[case("90d", Some(7_776_000_000))]
#[case("0s", Some(0))]
#[case("1.5s", None)]
#[case("-1s", None)]
#[case("1 s", None)]
#[case("s", None)]
#[case("", None)]
#[case("18446744073709551615d", None)]
fn durations_are_a_number_and_a_unit(#[case] text: &str, #[case] expected_ms: Option<u64>) {
    assert_eq!(duration::parse(text), expected_ms.map(Duration::from_millis));
}

#[test]
fn schedules_are_utc_and_count_days_of_the_week_from_sunday() {
    let sunday: DateTime<Utc> = "2026-11-22T00:00:00Z".parse().unwrap();
    let next = |text: &str| Schedule::parse(text).unwrap().next_after(sunday).unwrap();
    assert_eq!(next("0 */15 * * * *"), sunday + chrono::TimeDelta::minutes(15));
    assert_eq!(next("0 0 3 * * 1"), sunday + chrono::TimeDelta::hours(3));
    assert_eq!(next("0 0 3 * * Mon"), sunday + chrono::TimeDelta::hours(27));
    let five = Schedule::parse("*/5 * * * *").unwrap_err();
    assert!(five.contains("put the seconds first, as in \"0 */5 * * * *\""), "{five}");
}

#[rstest]
#[case("provision:maildomain")]
#[case("hook:login")]
#[case("read")]
#[case("admin")]
fn scopes_read_back(#[case] text: &str) {
    assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
}

#[rstest]
#[case("sqlite://a.db?mode=rwc")]
#[case("sqlite:///var/lib/entitled.db")]
#[case("sqlite::memory:")]
#[case("postgresql://me@db:5432/entitled?sslmode=require")]
fn database_addresses_are_taken_as_they_are(#[case] url: &str) {
    let config = loaded(&format!("[database]\nurl = '{url}'")).config;
    assert_eq!(config.database.url.expose(), url);
    assert_eq!(config.database.redacted(), url);
}

#[rstest]
#[case("http://deploycenter.example/", 1)]
#[case("http://127.0.0.1:8000/", 0)]
#[case("http://[::1]:8000/", 0)]
#[case("http://localhost:8000/", 0)]
#[case("https://deploycenter.example/", 0)]
fn plain_http_warns_outside_loopback(#[case] url: &str, #[case] warnings: usize) {
    let deployment = Deployment::of(SOURCE).with("DC_TOKEN", "t").with("ENTITLED_SOURCES__DC__BASE_URL", url);
    assert_eq!(deployment.load().unwrap().warnings.len(), warnings);
}

#[test]
fn workspace_addresses_are_folded_and_roots_end_in_a_slash() {
    let deployment = Deployment::of(
        "config_version = 1\n[sources.g]\nkind = 'google_workspace'\nsubject = 'Root@Example.com'\n\
         credentials = { keyless = true, service_account = 's@p' }\ndomain = 'Example.COM'\n\
         prefix = 'GRP_'\nadmin_group = ' Admins@Example.com '\napi_base = 'http://127.0.0.1:1/x'\n",
    );
    let config = deployment.load().unwrap().config;
    let SourceKind::GoogleWorkspace(kind) = &source_of(&config, "g").kind else { panic!("expected google_workspace") };
    assert_eq!(kind.subject, "Root@Example.com");
    assert_eq!(kind.directory, crate::config::Directory::Domain("example.com".into()));
    assert_eq!(kind.prefix.as_deref(), Some("grp_"));
    assert_eq!(kind.admin_group.as_deref(), Some("admins@example.com"));
    assert_eq!(kind.api_base.as_str(), "http://127.0.0.1:1/x/");
    assert_eq!(kind.effective_token_uri().as_str(), "https://oauth2.googleapis.com/token");
}

#[test]
fn names_of_scim_groups_are_folded() {
    let deployment = Deployment::of(
        "config_version = 1\n[sources.s]\nkind = 'scim'\nbase_url = 'http://127.0.0.1:1/v2'\n\
         token = { env = 'T' }\nprefix = 'Acme '\nadmin_group = ' Bosses É '\npaging = 'cursor'\n",
    );
    let config = deployment.with("T", "t").load().unwrap().config;
    let SourceKind::Scim(kind) = &source_of(&config, "s").kind else { panic!("expected scim") };
    assert_eq!((kind.prefix.as_deref(), kind.admin_group.as_deref()), (Some("acme"), Some("bosses é")));
    assert_eq!((kind.base_url.as_str(), kind.paging), ("http://127.0.0.1:1/v2/", crate::config::Paging::Cursor));
}

#[test]
fn only_near_keys_are_suggested() {
    assert_eq!(suggest::nearest("databse", ["database", "http"]), Some("database"));
    assert_eq!(suggest::nearest("colour", ["database", "http"]), None);
}

proptest! {
    #[test]
    fn durations_read_back(ms in 0..u64::MAX / 2) {
        let duration = Duration::from_millis(ms);
        prop_assert_eq!(duration::parse(&duration::format(duration)), Some(duration));
    }

    #[test]
    fn no_schedule_panics(text in "([0-9*,/?LW#A-Za-z-]{1,6} ){5,6}[0-9*,/-]{1,4}") {
        let _ = Schedule::parse(&text);
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]a-z0-9=\".{} \n_,#-]{0,80}", value in ".{0,20}") {
        let environment = BTreeMap::from([("ENTITLED_SOURCES__X__RATE".to_owned(), value)]);
        let deployment = Deployment { environment, ..Deployment::of(&text) };
        let _ = deployment.load();
    }
}

#[rstest]
#[case("name = 'Admin'", Duration::ZERO)]
#[case("name = 'Everyone'", Duration::from_hours(72))]
#[case("name = 'Everyone', privileged = true", Duration::ZERO)]
fn rules_for_admin_alone_give_it_no_grace(#[case] rules: &str, #[case] grace: Duration) {
    let lines = format!("removal = {{ grace = '72h' }}\ngroup = [{{ {rules}, guard = {{ max_removals = 1 }} }}]");
    let config = Deployment::of(&super::source(&lines)).with("DC_TOKEN", "t0ken").load().unwrap().config;
    assert_eq!(config.sources.values().next().unwrap().common.removal.groups[0].grace, grace);
}
