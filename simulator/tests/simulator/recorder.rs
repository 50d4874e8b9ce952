//! Requests are kept as they came, counted, and waited for without sleeping.

use std::time::Duration;

use entitled_simulator::{Fault, System, Target};

use crate::stage::{SIRET_A, Stage};

const DEADLINE: Duration = Duration::from_secs(5);

/// D1
#[tokio::test]
async fn a_request_is_kept_as_it_came() {
    let stage = Stage::empty().await;
    stage.entitlements("a+b@commune-a.fr", SIRET_A).send().await.expect("an answer");
    stage.page("users?customer=my_customer").await;
    let requests = stage.requests(System::Deploycenter);
    let [request] = requests.as_slice() else { panic!("one request, not {}", requests.len()) };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v1.0/entitlements/"));
    assert_eq!(request.query("account_email"), Some("a+b@commune-a.fr"));
    assert_eq!(request.header("x-service-auth"), Some("Bearer svc-key-42"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(stage.count(System::Google), 1);
    stage.clear_requests();
    assert_eq!((stage.count(System::Deploycenter), stage.requests(System::Google).len()), (0, 0));
}

#[tokio::test]
async fn requests_at_once_are_counted() {
    let stage = Stage::empty().await;
    stage.fault(Target::system(System::Deploycenter), Fault::hold("gate"));
    let asked: Vec<_> = (0..3).map(|_| tokio::spawn(stage.entitlements("ann@commune-a.fr", SIRET_A).send())).collect();
    stage.wait_for_requests(System::Deploycenter, 3, DEADLINE).await.expect("arrive");
    stage.release("gate");
    for answer in asked {
        answer.await.expect("ends").expect("an answer");
    }
    stage.entitlements("ann@commune-a.fr", SIRET_A).send().await.expect("an answer");
    assert_eq!((stage.peak_concurrency(System::Deploycenter), stage.count(System::Deploycenter)), (3, 4));
}

#[tokio::test]
async fn waiting_ends_at_the_deadline() {
    let stage = Stage::empty().await;
    let waited = stage.wait_for_requests(System::Deploycenter, 1, Duration::from_millis(10)).await;
    assert_eq!(waited.expect_err("nothing came").seen, 0);
}
