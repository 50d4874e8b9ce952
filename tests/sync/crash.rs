//! A run that is told to stop leaves nothing behind. What kills do, and refused statements, is in `tests/proofs`.

use crate::on_both_stores;
use crate::stage::{expect, google, table};

const GROUP: &str = "grp_acme_a@example.com";

on_both_stores! {
    async fn a_run_that_is_told_to_stop_writes_nothing(world: World) {
        // S20
        let mut world = world;
        world.configure("timeout = \"2s\"", "timeout = \"60s\"");
        expect(&google(&world, &[]).await, 0, "unchanged");
        world.org().add_member(GROUP, "ann@example.org").clear_requests();
        world.org().fault(
            entitled_simulator::Target::system(entitled_simulator::System::Google),
            entitled_simulator::Fault::hold("on"),
        );
        let before = table(&world, "membership").await;
        let running = world
            .command(&["sync", "--source", "google_sync", "--output", "json"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        world
            .org()
            .wait_for_requests(entitled_simulator::System::Google, 1, crate::support::PATIENCE)
            .await
            .expect("asked");
        let id = running.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        let ended = tokio::time::timeout(crate::support::PATIENCE, running.wait_with_output())
            .await
            .expect("it ends")
            .expect("it ends");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        world.org().clear_faults();
        assert_eq!(table(&world, "membership").await, before);
        expect(&google(&world, &[]).await, 0, "applied");
    }
}
