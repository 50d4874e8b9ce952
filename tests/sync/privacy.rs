//! Nothing personal and nothing secret in what is logged.

use crate::on_both_stores;
use crate::stage::{expect, know};
use crate::support::SIRET;
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann.secretive@commune-a.fr";

on_both_stores! {
    async fn logs_name_no_person_and_no_secret_however_much_is_logged(world: World) {
        know(&world, ANN, json!({"siret": SIRET})).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member("grp_acme_hidden@example.com", ANN);
        let private =
            ["secretive", "grp_acme_hidden", SIRET, world.simulator.deploycenter_key(), "PRIVATE KEY", "ya29"];
        for fault in
            [None, Some(Fault::status(500)), Some(Fault::InvalidJson), Some(Fault::Reset), Some(Fault::wrong_type())]
        {
            for system in [System::Google, System::Deploycenter] {
                fault.clone().into_iter().for_each(|fault| {
                    world.org().fault(Target::system(system), fault);
                });
            }
            let ended = world.run(&["sync", "-vv", "--user", ANN, "--output", "json"]).await;
            assert_eq!(ended.code, if fault.is_some() { 3 } else { 0 }, "{fault:?}");
            for text in private {
                let line = ended.stderr.lines().find(|line| line.contains(text));
                assert_eq!(line, None, "{fault:?}: {text}");
            }
            for entry in ended.json()["sources"].as_array().expect("sources") {
                let message = entry["error"]["message"].as_str().unwrap_or_default();
                assert!(private.iter().all(|text| !message.contains(text)), "{message}");
            }
            world.org().clear_faults();
        }
        expect(&world.sync(&[]).await, 0, "unchanged");
        let noted =
            crate::stage::texts(&world, "SELECT payload || actor || COALESCE(correlation_id, '') FROM event").await;
        assert!(noted.iter().all(|text| !text.contains("secretive")), "events hold ids");
        let noted = crate::stage::texts(&world, "SELECT COALESCE(error_message, '') FROM run").await;
        assert!(noted.iter().all(|text| !text.contains("secretive")), "{noted:?}");
    }
}
