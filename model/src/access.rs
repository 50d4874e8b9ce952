//! Access: may somebody do something with a resource, and by what.
//!
//! Whoever is in a group has what the group was granted, and whoever is in a resource's own group
//! (`<type>:<id>:<permission>`) has that permission on that resource. Nobody has anything else: `Admin` is a group as any
//! other here. Who is not active has nothing.

use crate::identity::{EmailKey, GrantId, GroupId, InvalidName, Permission, SourceName, Subject, UserId};
use crate::resource::{ResourceType, fold_id};

/// Somebody, by what people call them: an id, an address or a subject, looked for in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    pub id: Option<UserId>,
    pub email: EmailKey,
    pub sub: Option<Subject>,
}

impl UserRef {
    /// The longest allowed name, in bytes: beyond it there is neither an address nor a subject.
    pub const BYTES_MAX: usize = Subject::BYTES_MAX;

    /// Reads a name.
    ///
    /// # Errors
    /// When it is blank, too long or holds control characters.
    pub fn parse(given: &str) -> Result<Self, InvalidName> {
        const WHAT: &str = "a user's id, e-mail or sub";
        if given.trim().is_empty() {
            return Err(InvalidName::Blank { what: WHAT });
        }
        if given.len() > Self::BYTES_MAX {
            return Err(InvalidName::TooLong { what: WHAT, bytes_max: Self::BYTES_MAX });
        }
        if given.chars().any(char::is_control) {
            return Err(InvalidName::Form { what: WHAT, expected: "free of control characters" });
        }
        let id = uuid::Uuid::parse_str(given).ok().map(UserId);
        Ok(Self { id, email: EmailKey::fold(given), sub: Subject::parse(given).ok() })
    }
}

/// A resource that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRef {
    pub resource_type: String,
    /// As it is stored.
    pub resource_id: String,
}

impl ResourceRef {
    /// The longest allowed type, and the longest id of a type that is not registered, in bytes.
    pub const BYTES_MAX: usize = 512;

    /// Where a list of resources begins.
    #[must_use]
    pub fn before_all() -> Self {
        Self { resource_type: String::new(), resource_id: String::new() }
    }

    /// Reads a resource. A type that is not registered may be that of a mapped entitlement: its ids are compared folded.
    ///
    /// # Errors
    /// When a part is blank, too long or not of the type's form.
    pub fn parse(resource_type: &str, resource_id: &str) -> Result<Self, InvalidName> {
        plain("a resource type", resource_type)?;
        let resource_id = match ResourceType::of_key(resource_type) {
            Some(kind) => kind.id(resource_id)?,
            None => {
                plain("a resource's id", resource_id)?;
                fold_id(resource_id)
            }
        };
        Ok(Self { resource_type: resource_type.to_owned(), resource_id })
    }
}

fn plain(what: &'static str, text: &str) -> Result<(), InvalidName> {
    if text.trim().is_empty() {
        return Err(InvalidName::Blank { what });
    }
    if text.len() > ResourceRef::BYTES_MAX {
        return Err(InvalidName::TooLong { what, bytes_max: ResourceRef::BYTES_MAX });
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidName::Form { what, expected: "free of control characters" });
    }
    Ok(())
}

/// May this user do that with the resource?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub user: UserRef,
    pub permission: Permission,
    pub resource: ResourceRef,
}

/// A way on which somebody has access: a group that they are in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    pub group: GroupId,
    pub name: String,
    /// The grant to the group; none when the group is the resource's own.
    pub grant: Option<GrantId>,
    /// The sources by which they are in it.
    pub sources: Vec<SourceName>,
}

impl Path {
    /// `grant`, or `facet` when the group is the resource's own.
    #[must_use]
    pub fn by(&self) -> &'static str {
        if self.grant.is_some() { "grant" } else { "facet" }
    }
}

/// What is stored about a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Who was meant, with their status; none when nobody is known by that name.
    pub user: Option<(UserId, String)>,
    pub paths: Vec<Path>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub user: Option<UserId>,
    /// None when it is allowed.
    pub denial: Option<Denial>,
    /// Empty unless it is allowed.
    pub paths: Vec<Path>,
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    UnknownUser,
    Suspended,
    Deactivated,
    /// Nobody has anything on a resource of such a type.
    UnknownResourceType,
    NoAccess,
}

impl Denial {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Denial::UnknownUser => "unknown_user",
            Denial::Suspended => "suspended",
            Denial::Deactivated => "deactivated",
            Denial::UnknownResourceType => "unknown_resource_type",
            Denial::NoAccess => "no_access",
        }
    }
}

/// The answer that follows from what is stored.
#[must_use]
pub fn verdict(question: &Question, held: Held) -> Verdict {
    let Held { user, paths } = held;
    let registered = ResourceType::of_key(&question.resource.resource_type).is_some();
    let denial = match &user {
        None => Some(Denial::UnknownUser),
        Some((_, status)) if status == "deactivated" => Some(Denial::Deactivated),
        Some((_, status)) if status != "active" => Some(Denial::Suspended),
        Some(_) if !paths.is_empty() => None,
        Some(_) if registered => Some(Denial::NoAccess),
        Some(_) => Some(Denial::UnknownResourceType),
    };
    let paths = if denial.is_none() { paths } else { Vec::new() };
    Verdict { user: user.map(|(user, _)| user), denial, paths }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn question(resource_type: &str) -> Question {
        let resource = ResourceRef { resource_type: resource_type.to_owned(), resource_id: "a.fr".to_owned() };
        let user = UserRef::parse("ann@example.org").expect("a name");
        Question { user, permission: Permission::parse("admin").expect("a permission"), resource }
    }

    fn held(status: &str, paths: usize) -> Held {
        let path = Path { group: GroupId::ADMIN, name: "Admin".to_owned(), grant: None, sources: Vec::new() };
        Held { user: Some((UserId(Uuid::from_u128(1)), status.to_owned())), paths: vec![path; paths] }
    }

    #[test]
    fn only_whoever_is_known_active_and_on_some_path_may() {
        // G5, M10
        let denial = |resource_type, held| verdict(&question(resource_type), held).denial;
        assert_eq!(denial("maildomain", held("active", 1)), None);
        assert_eq!(denial("maildomain", held("active", 0)), Some(Denial::NoAccess));
        assert_eq!(denial("maildomain", held("suspended", 1)), Some(Denial::Suspended));
        assert_eq!(denial("maildomain", held("deactivated", 1)), Some(Denial::Deactivated));
        assert_eq!(denial("maildomain", held("of a newer release", 1)), Some(Denial::Suspended));
        assert_eq!(denial("maildomain", Held::default()), Some(Denial::UnknownUser));
        assert_eq!(denial("unicorn", held("active", 0)), Some(Denial::UnknownResourceType));
        assert_eq!(denial("unicorn", held("active", 1)), None, "a mapped entitlement may be of any type");
        assert!(verdict(&question("maildomain"), held("suspended", 1)).paths.is_empty(), "a denial tells of no path");
    }

    #[test]
    fn names_and_resources_are_read_as_they_are_compared() {
        // P2, S19
        let long = "x".repeat(10_000);
        for bad in ["", " ", "a\0b", "a\nb", &long] {
            assert!(UserRef::parse(bad).is_err(), "{bad:?}");
            assert!(ResourceRef::parse(bad, "a.fr").is_err(), "{bad:?}");
            assert!(ResourceRef::parse("maildomain", bad).is_err(), "{bad:?}");
            assert!(ResourceRef::parse("dataset", bad).is_err(), "{bad:?}");
        }
        let read = |kind, id| ResourceRef::parse(kind, id).map(|resource| resource.resource_id);
        assert_eq!(read("maildomain", " Commune-A.FR "), Ok("commune-a.fr".to_owned()));
        assert_eq!(read("dataset", " Sales "), Ok("sales".to_owned()));
        assert!(read("maildomain", "not a domain").is_err());
        assert_eq!(UserRef::parse(" Ann@Example.ORG").expect("a name").email.as_str(), "ann@example.org");
    }
}
