//! `enumerate` of a source of kind `deploycenter`.

use rstest::rstest;

use super::*;
use crate::config::{DeployCenterConfig, SourceKind, show};

const TABLE: &str = r#"enumerate = { operator_key = { env = "DC_TOKEN" }, operator_id = "op-1" }"#;
const CLAIMS: &str = r#"claims = ["siret"]"#;
const MAP: &str = r#"[[sources.dc.map]]
entitlement = "can_admin_maildomains"
resource_type = "maildomain"
permission = "admin""#;

fn deploycenter(text: &str) -> DeployCenterConfig {
    let config = Deployment::of(text).with("DC_TOKEN", "t0ken").load().unwrap().config;
    match &source_of(&config, "dc").kind {
        SourceKind::DeployCenter(kind) => (**kind).clone(),
        SourceKind::Local(_) | SourceKind::GoogleWorkspace(_) | SourceKind::Scim(_) => panic!("expected deploycenter"),
    }
}

#[test]
fn the_management_api_stands_beside_the_endpoint_and_the_sample_is_twenty() {
    assert_eq!(deploycenter(SOURCE).enumerate, None);
    let read = deploycenter(&source(&format!("{CLAIMS}\n{TABLE}\n{MAP}"))).enumerate.unwrap();
    assert_eq!(read.management_base.as_str(), "https://deploycenter.example/api/v1.0/");
    assert_eq!((read.operator_id.as_str(), read.operator_key.expose(), read.sample), ("op-1", "t0ken", 20));
    let more = "\"op-1\", management_base = \"https://elsewhere.example/api\", sample = 0";
    let elsewhere = TABLE.replace("\"op-1\"", more);
    let read = deploycenter(&source(&format!("{CLAIMS}\n{elsewhere}\n{MAP}"))).enumerate.unwrap();
    assert_eq!((read.management_base.as_str(), read.sample), ("https://elsewhere.example/api/", 0));
}

#[test]
fn it_is_shown_with_the_origin_of_its_secret() {
    let text = source(&format!("{CLAIMS}\n{TABLE}\n{MAP}"));
    let shown = show(&Deployment::of(&text).with("DC_TOKEN", "t0ken").load().unwrap().config);
    assert!(shown.contains(r#"operator_key = { env = "DC_TOKEN" }"#) && !shown.contains("t0ken"), "{shown}");
}

#[rstest]
#[case(TABLE, "", MAP, "sources.dc.enumerate: expected `claims` to name \"siret\"")]
#[case(TABLE, CLAIMS, "", "sources.dc.enumerate: expected `map` to be about \"can_admin_maildomains\" alone")]
#[case("enumerate = { operator_id = \"o\" }", CLAIMS, MAP, "sources.dc.enumerate.operator_key: missing")]
#[case(
    "enumerate = { operator_key = { env = \"DC_TOKEN\" } }",
    CLAIMS,
    MAP,
    "sources.dc.enumerate.operator_id: missing"
)]
#[case("enumerate = true", CLAIMS, MAP, "sources.dc.enumerate: expected a table")]
fn what_can_not_work_is_refused(#[case] table: &str, #[case] claims: &str, #[case] map: &str, #[case] expected: &str) {
    let problem = problem(&source(&format!("{claims}\n{table}\n{map}")));
    assert!(problem.starts_with(expected), "{problem}");
}

#[test]
fn the_sample_has_its_limits() {
    for sample in ["-1", "1001", "\"many\""] {
        let table = TABLE.replace("\"op-1\"", &format!("\"op-1\", sample = {sample}"));
        let problem = problem(&source(&format!("{CLAIMS}\n{table}\n{MAP}")));
        assert!(problem.starts_with("sources.dc.enumerate.sample: expected"), "{problem}");
    }
}
