//! The sample organisation that the story is about, and the people with a part in it. Imports the simulator.

use entitled_simulator::{Change, ChangeError, GroupChange, MembershipChange, Organisation, Person, Role, Sample};

pub const EVERYBODY: &str = "grp_acme_all@example.com";
pub const COUNCIL: &str = "grp_acme_council@example.com";
pub const CULTURE: &str = "grp_acme_culture@example.com";
pub const INTRANET: &str = "grp_acme_intranet@example.com";
/// Outside the prefix, and nested in the intranet's group: one line upstream that many memberships hang on.
pub const STAFF: &str = "team_staff@example.com";

/// More than one page of the directory (200), so that a page in the middle can fail.
const USERS: usize = 230;
/// More than the guard's `max_removals` (100 by default).
const STAFF_USERS: usize = 140;

const SAMPLE: Sample = Sample { seed: 42, users: USERS, groups: 12, memberships: 620, domains: 4, organisations: 3 };

/// The people with a part, by what happens to them.
pub struct Cast {
    /// Administers two mail domains; logs in.
    pub ann: Person,
    /// Leaves the council.
    pub carol: Person,
    /// Joins the council.
    pub dave: Person,
    /// Is put into the council by an administrator.
    pub vera: Person,
    /// Joins the group of culture while the directory is unwell.
    pub hugo: Person,
    /// Left to the reader.
    pub erin: Person,
}

/// What the simulators know when the curtain rises.
///
/// # Errors
/// When the sample has no such people.
pub fn organisation() -> Result<(Organisation, Cast), ChangeError> {
    let mut organisation = Organisation::sample(&SAMPLE);
    let people = organisation.people();
    let named = |name: &str| {
        let found = people.iter().find(|person| person.email.split('@').next() == Some(name));
        found.cloned().ok_or_else(|| ChangeError::UnknownUser(name.to_owned()))
    };
    let cast = Cast {
        ann: named("ann")?,
        carol: named("carol")?,
        dave: named("dave")?,
        vera: named("vera")?,
        hugo: named("hugo")?,
        erin: named("erin")?,
    };
    for group in [INTRANET, STAFF] {
        organisation.apply(&Change::Group(GroupChange::Add { email: group.to_owned() }))?;
    }
    for person in people.iter().take(STAFF_USERS) {
        organisation.apply(&joins(STAFF, &person.email))?;
    }
    organisation.apply(&joins(INTRANET, STAFF))?;
    organisation.apply(&joins(COUNCIL, &cast.carol.email))?;
    for newcomer in [&cast.dave, &cast.vera, &cast.erin] {
        absent(&mut organisation, COUNCIL, newcomer);
    }
    absent(&mut organisation, CULTURE, &cast.hugo);
    Ok((organisation, cast))
}

/// The sample may or may not have put them there.
fn absent(organisation: &mut Organisation, group: &str, person: &Person) {
    let _was_no_member = organisation.apply(&leaves(group, &person.email));
}

pub fn joins(group: &str, member: &str) -> Change {
    let (group, member) = (group.to_owned(), member.to_owned());
    Change::Membership(MembershipChange::Add { group, member, role: Role::Member })
}

pub fn leaves(group: &str, member: &str) -> Change {
    Change::Membership(MembershipChange::Remove { group: group.to_owned(), member: member.to_owned() })
}
