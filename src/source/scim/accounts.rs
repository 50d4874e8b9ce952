//! From a user's attributes to their account. Pure.
//!
//! An account's first address is its primary e-mail, else its first e-mail, else its `userName` where that is an address.
//! Its aliases are its other e-mails, and its `userName` where that is another address. An account without any address is
//! nobody's: groups pass over it.

use std::collections::{BTreeMap, HashMap};

use entitled_model::observation::{Account, Standing};
use entitled_model::{EmailAddress, EmailKey, Failure};

use super::malformed;
use super::wire::{Email, User};

/// Whom a user's attributes speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    Person(Account),
    /// Has no address.
    Nobody,
    /// Has a first address that is unusable: who it is can't be told.
    Unclear,
}

impl Holder {
    pub fn of(user: &User) -> Self {
        let User { id, user_name, emails, active } = user;
        let given = |email: &Email| email.value.clone().filter(|value| !value.trim().is_empty());
        let emails = emails.as_deref().unwrap_or_default();
        let primary = emails.iter().filter(|email| email.primary == Some(true)).find_map(given);
        let of_name = user_name.as_deref().and_then(|name| EmailAddress::parse(name).ok());
        let first = match primary.or_else(|| emails.iter().find_map(given)) {
            Some(first) => EmailAddress::parse(&first).ok(),
            None if of_name.is_none() => return Self::Nobody,
            None => of_name.clone(),
        };
        let Some(address) = first else { return Self::Unclear };
        let others = emails.iter().filter_map(given).filter_map(|value| EmailAddress::parse(&value).ok());
        let others = others.chain(of_name).map(|other| (other.key(), other)).filter(|(key, _)| *key != address.key());
        let aliases = others.collect::<BTreeMap<_, _>>().into_values().collect();
        let standing = if *active == Some(false) { Standing::Suspended } else { Standing::Active };
        let external_id = id.as_str().to_owned();
        Self::Person(Account { external_id, address, aliases, standing, is_administrator: None })
    }

    /// Whether a person who is known by this address may be this one.
    pub fn claims(&self, key: &EmailKey) -> bool {
        match self {
            Self::Person(account) => addresses(account).any(|address| address.key() == *key),
            Self::Nobody | Self::Unclear => false,
        }
    }
}

fn addresses(account: &Account) -> impl Iterator<Item = &EmailAddress> {
    std::iter::once(&account.address).chain(&account.aliases)
}

/// How many accounts claim each address.
#[derive(Default)]
pub struct Claims(HashMap<EmailKey, u32>);

impl Claims {
    pub fn of<'a>(holders: impl Iterator<Item = &'a Holder>) -> Self {
        let mut claims = Self::default();
        for holder in holders {
            if let Holder::Person(account) = holder {
                for address in addresses(account) {
                    *claims.0.entry(address.key()).or_default() += 1;
                }
            }
        }
        claims
    }

    /// The account, with the aliases that are its own.
    ///
    /// # Errors
    /// `malformed` when another account claims its first address: then it names neither.
    pub fn settled(&self, account: &Account) -> Result<Account, Failure> {
        let own = |address: &EmailAddress| self.0.get(&address.key()).is_none_or(|claims| *claims < 2);
        if !own(&account.address) {
            return Err(contested());
        }
        let aliases = account.aliases.iter().filter(|alias| own(alias)).cloned().collect();
        Ok(Account { aliases, ..account.clone() })
    }
}

pub fn contested() -> Failure {
    malformed("two accounts have one address")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holder(user: serde_json::Value) -> Holder {
        Holder::of(&serde_json::from_value(user).expect("a user"))
    }

    fn told(user: serde_json::Value) -> (String, Vec<String>) {
        match holder(user) {
            Holder::Person(account) => {
                let aliases = account.aliases.iter().map(|alias| alias.as_given().to_owned()).collect();
                (account.address.as_given().to_owned(), aliases)
            }
            other => (format!("{other:?}"), Vec::new()),
        }
    }

    #[test]
    fn the_first_address_is_the_primary_one_then_the_first_then_the_user_name() {
        let emails = json!([{"value": "b@x.fr"}, {"value": "A@x.fr", "primary": true}, {"value": "B@x.fr"}, {}]);
        let said = told(json!({"id": "1", "userName": "u@x.fr", "emails": emails}));
        assert_eq!(said, ("A@x.fr".into(), vec!["B@x.fr".into(), "u@x.fr".into()]));
        let said = told(json!({"id": "1", "userName": "ann", "emails": [{"value": " "}, {"value": "b@x.fr"}]}));
        assert_eq!(said, ("b@x.fr".into(), vec![]));
        assert_eq!(told(json!({"id": "1", "userName": "u@x.fr", "emails": null})), ("u@x.fr".into(), vec![]));
        assert_eq!(told(json!({"id": "1", "userName": "ann"})).0, "Nobody");
        assert_eq!(told(json!({"id": "1", "userName": "u@x.fr", "emails": [{"value": "what?"}]})).0, "Unclear");
    }

    #[test]
    fn an_account_is_suspended_only_when_it_says_so() {
        // G5
        let standing = |active| match holder(json!({"id": "1", "userName": "u@x.fr", "active": active})) {
            Holder::Person(account) => account.standing,
            other => panic!("{other:?}"),
        };
        assert_eq!(standing(json!(false)), Standing::Suspended);
        assert_eq!((standing(json!(true)), standing(json!(null))), (Standing::Active, Standing::Active));
    }

    #[test]
    fn an_address_that_two_accounts_claim_names_neither() {
        let person = |id: &str, emails: &[&str]| {
            let emails: Vec<_> = emails.iter().map(|value| json!({"value": value})).collect();
            holder(json!({"id": id, "userName": "x", "emails": emails}))
        };
        let holders = [person("1", &["a@x.fr", "B@x.fr", "c@x.fr"]), person("2", &["b@x.fr"])];
        let claims = Claims::of(holders.iter());
        let settled = |holder: &Holder| match holder {
            Holder::Person(account) => claims.settled(account),
            other => panic!("{other:?}"),
        };
        let first = settled(&holders[0]).expect("its first address is its own");
        assert_eq!(first.aliases, [EmailAddress::parse("c@x.fr").expect("an address")]);
        assert_eq!(settled(&holders[1]), Err(contested()));
    }
}
