//! A believable organisation made from a seed: the same sample gives the same people, groups and memberships, byte for
//! byte, on every machine.

mod names;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::organisation::{DirectoryId, Organisation, Role};

use names::{FAMILY_NAMES, GIVEN_NAMES, GROUP_NAMES};

/// Every so many-th group stands outside the prefix `grp_acme_`.
const OUTSIDE_PREFIX_EVERY: usize = 5;
/// Every so many-th person administers mail domains.
const ADMINISTRATOR_EVERY: usize = 10;
/// Random draws per membership before giving up on finding a free place.
const DRAWS_PER_MEMBERSHIP_MAX: usize = 20;

/// Sirets of the first organisations; the third one's subscription is inactive. The first and third are in the captures.
const SIRETS: [&str; 3] = ["21750001600019", "21690002900017", "21130001300013"];

/// How much to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What all choices come from.
    pub seed: u64,
    /// Users in the directory, each with an account in DeployCenter.
    pub users: usize,
    /// Groups, among them `grp_acme_admin@example.com` and `grp_acme_all@example.com`.
    pub groups: usize,
    /// Direct memberships, as many as there is room for.
    pub memberships: usize,
    /// Mail domains over all organisations.
    pub domains: usize,
    /// Organisations with a siret; the third is inactive.
    pub organisations: usize,
}

impl Default for Sample {
    fn default() -> Sample {
        Sample { seed: 42, users: 40, groups: 12, memberships: 130, domains: 4, organisations: 3 }
    }
}

impl Sample {
    pub(crate) fn generate(&self) -> Organisation {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut organisation = Organisation::empty();
        let users = self.add_people(&mut organisation, &mut rng);
        let groups = self.add_groups(&mut organisation);
        self.add_memberships(&mut organisation, &mut rng, &users, &groups);
        organisation
    }

    fn add_people(&self, organisation: &mut Organisation, rng: &mut Xoshiro256PlusPlus) -> Vec<DirectoryId> {
        for number in 0..self.organisations {
            let siret = siret(number);
            organisation.subscriptions.set_organization(&siret, number != 2, Some(&organisation_name(number)), None);
        }
        (0..self.users).filter_map(|number| self.add_person(organisation, rng, number)).collect()
    }

    /// The first people are spread over the organisations, one each; the others anywhere.
    fn add_person(
        &self,
        organisation: &mut Organisation,
        rng: &mut Xoshiro256PlusPlus,
        number: usize,
    ) -> Option<DirectoryId> {
        let organisations = self.organisations.max(1);
        let home = if number < organisations { number } else { rng.random_range(0..organisations) };
        let home_domains = self.domains_of(home);
        let drawn = rng.random_range(0..home_domains.len().max(1));
        let domain = home_domains.get(if number < organisations { 0 } else { drawn });
        let (given_name, family_name, local) = person_name(number);
        let email = format!("{local}@{}", domain.map_or("example.com", String::as_str));
        let id = organisation.workspace.add_user(&email).ok()?;
        organisation.workspace.name_user(&email, given_name, family_name).ok()?;
        let administers = number < organisations || number.is_multiple_of(ADMINISTRATOR_EVERY);
        let administered = if administers { home_domains } else { Vec::new() };
        let accounts = &mut organisation.subscriptions;
        accounts.set_domains(&email, &siret(home), &administered).ok()?;
        accounts.set_account_id(&email, &format!("sub-{local}")).ok()?;
        Some(id)
    }

    /// Domain `d` belongs to organisation `d % organisations`.
    fn domains_of(&self, organisation: usize) -> Vec<String> {
        let of_this = (organisation..self.domains).step_by(self.organisations.max(1));
        let kinds = (0..).map(|number| match number {
            0 => "commune".to_owned(),
            1 => "ville".to_owned(),
            more => format!("quartier{more}"),
        });
        of_this.zip(kinds).map(|(_, kind)| format!("{kind}-{}.fr", letter(organisation))).collect()
    }

    fn add_groups(&self, organisation: &mut Organisation) -> Vec<DirectoryId> {
        let workspace = &mut organisation.workspace;
        let add = |number| {
            let (email, name) = group_name(number);
            let id = workspace.add_group(&email).ok()?;
            workspace.describe_group(&email, &name, &format!("Everybody of {name}")).ok()?;
            Some(id)
        };
        (0..self.groups).filter_map(add).collect()
    }

    fn add_memberships(
        &self,
        organisation: &mut Organisation,
        rng: &mut Xoshiro256PlusPlus,
        users: &[DirectoryId],
        groups: &[DirectoryId],
    ) {
        let workspace = &mut organisation.workspace;
        let [admin, all, others @ ..] = groups else { return };
        if let Some(first) = users.first() {
            workspace.link(*admin, *first, Role::Owner);
        }
        workspace.link(*all, DirectoryId::CUSTOMER, Role::Member);
        if users.len() * 2 <= self.memberships {
            for user in users {
                workspace.link(*all, *user, Role::Member);
            }
        }
        if let (Some(outer), Some(inner)) = (others.first(), groups.get(OUTSIDE_PREFIX_EVERY)) {
            workspace.link(*outer, *inner, Role::Member);
        }
        let missing = self.memberships.saturating_sub(workspace.memberships_count());
        for _ in 0..missing.saturating_mul(DRAWS_PER_MEMBERSHIP_MAX) {
            if workspace.memberships_count() >= self.memberships || others.is_empty() || users.is_empty() {
                break;
            }
            let group = others[rng.random_range(0..others.len())];
            let user = users[rng.random_range(0..users.len())];
            workspace.link(group, user, Role::Member);
        }
    }
}

fn person_name(number: usize) -> (&'static str, &'static str, String) {
    let given_name = GIVEN_NAMES[number % GIVEN_NAMES.len()];
    let family_number = number / GIVEN_NAMES.len();
    let family_name = FAMILY_NAMES[(number % GIVEN_NAMES.len() + family_number) % FAMILY_NAMES.len()];
    let (given, family) = (given_name.to_lowercase(), family_name.to_lowercase());
    let local = match family_number {
        0 => given,
        _ if family_number <= FAMILY_NAMES.len() => format!("{given}.{family}"),
        _ => format!("{given}.{family}{family_number}"),
    };
    (given_name, family_name, local)
}

fn group_name(number: usize) -> (String, String) {
    let name = match number {
        0 => "admin".to_owned(),
        1 => "all".to_owned(),
        _ => {
            let name = GROUP_NAMES[(number - 2) % GROUP_NAMES.len()];
            let round = (number - 2) / GROUP_NAMES.len();
            if round == 0 { name.to_owned() } else { format!("{name}_{round}") }
        }
    };
    let outside = number > 0 && number.is_multiple_of(OUTSIDE_PREFIX_EVERY);
    let prefix = if outside { "team_" } else { "grp_acme_" };
    (format!("{prefix}{name}@example.com"), name)
}

fn organisation_name(number: usize) -> String {
    format!("Commune {}", letter(number).to_uppercase())
}

/// `a` to `z`, then numbers.
fn letter(number: usize) -> String {
    u8::try_from(number)
        .ok()
        .filter(|number| *number < 26)
        .map_or_else(|| number.to_string(), |number| char::from(b'a' + number).to_string())
}

fn siret(number: usize) -> String {
    SIRETS.get(number).map_or_else(|| format!("2{number:013}"), |siret| (*siret).to_owned())
}
