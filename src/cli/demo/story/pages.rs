//! Chapter 5: the directory answers, but not with everything.

use entitled_simulator::{Fault, System, Target};

use super::super::cast::{CULTURE, EVERYBODY, joins};
use super::super::stage::{DIRECTORY, Stage};
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    voice.title("5. Half an answer is no answer")?;
    half_a_list(stage, voice).await?;
    a_short_list(stage, voice).await?;
    stage.upstream().clear_faults();
    stage.until_run(DIRECTORY, "a poll that reads everything again", |run| run.is_well()).await
}

async fn half_a_list(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    let hugo = &stage.cast.hugo.email;
    voice.tell(&format!(
        "The members of {EVERYBODY} fill two pages, and from now on the second one fails. Whoever took the first page for \
         the whole list would throw people out of Everyone. Meanwhile Hugo joins {CULTURE}."
    ))?;
    let everyone = stage.members("Everyone").await?.len() as u64;
    let second_page = Target::system(System::Google).group(EVERYBODY).page(2);
    stage.upstream().fault(second_page, Fault::status(503)).apply(&joins(CULTURE, hugo))?;
    stage.until_run(DIRECTORY, "a poll with a part that fails as http_5xx", |run| run.failed_as("http_5xx")).await?;
    let joined = (hugo.clone(), DIRECTORY.to_owned());
    let culture = async || stage.members(CULTURE).await;
    stage.until("Hugo in the group of culture", culture, |members| members.contains(&joined)).await?;

    let run = stage.rehearse(DIRECTORY).await?;
    check(run.error.is_some(), "a part that could not be read", &run)?;
    check(run.removed_count == 0 && run.kept_count == everyone, "every member of Everyone kept", &run)?;
    voice.tell("This is what a run says of it:")?;
    if let Some(failed) = &run.error {
        voice.show([format!("class {}, {} kept:", failed.class, run.kept_count), failed.message.clone()])?;
    }
    let still = stage.members("Everyone").await?.len() as u64;
    check(still == everyone, &format!("{everyone} members of Everyone"), &still)?;
    voice.proven(&format!(
        "All {everyone} are still in Everyone: a removal needs an answer that was read to its end. The parts that could be \
         read were applied, so Hugo is in."
    ))
}

async fn a_short_list(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    voice.tell(
        "Worse, a list that is cut short and says nothing of it: each page well-formed, half of the people missing. But \
         the directory also states how many members a group has.",
    )?;
    let before = stage.memberships(DIRECTORY).await?;
    stage.upstream().clear_faults();
    stage.upstream().fault(Target::system(System::Google).group(EVERYBODY).page(1), Fault::ShortList);
    stage.until_run(DIRECTORY, "a poll with a part that is incomplete", |run| run.failed_as("incomplete")).await?;
    let after = stage.memberships(DIRECTORY).await?;
    check(after == before, &format!("{before} memberships"), &after)?;
    voice.proven("The counts disagree: class \"incomplete\", and again nothing is removed.")
}
