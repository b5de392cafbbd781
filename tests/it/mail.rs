//! Mail and SES: who may send to whom, and what becomes of a mail.

use crate::util::{World, sign_up};

/// Signs up with `email`; the status of the answer, and how many mails have been sent to it since.
async fn ask_for_mail(world: &World, email: &str) -> (u16, usize) {
    let sent = |world: &World| world.cloud.ses.mails().iter().filter(|it| it.to == [email]).count();
    let before = sent(world);
    let client = world.cloud.client();
    let answer = world.send(client.post("/v1/accounts", &sign_up(email))).await;
    (answer.status.as_u16(), sent(world) - before)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_sandbox_of_ses_the_operator_can_sign_up_with_a_verified_address() {
    let world = World::start().await;
    world.cloud.ses.sandbox(true);
    world.cloud.ses.verify("operator@example.org");
    assert_eq!(ask_for_mail(&world, "operator@example.org").await, (202, 1));
    assert_eq!(ask_for_mail(&world, "stranger@example.net").await, (503, 0));
    world.cloud.runtime.settled().await;
    assert!(world.logs("SignUpFunction").contains("MessageRejected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_with_a_configuration_set_by_default_can_send() {
    let world = World::start().await;
    world.cloud.ses.set_default("example.com", "my-first-configuration-set");
    assert_eq!(ask_for_mail(&world, "ada@example.net").await, (202, 1));
}
