//! Names that read well in an example.

pub(super) const GIVEN_NAMES: [&str; 32] = [
    "Ann", "Bob", "Carol", "Dave", "Erin", "Farid", "Grace", "Hugo", "Ines", "Jules", "Karim", "Lea", "Manon", "Nora",
    "Oscar", "Paul", "Quentin", "Rose", "Samir", "Tess", "Ugo", "Vera", "Wendy", "Xavier", "Yara", "Zoe", "Alice",
    "Bruno", "Chloe", "Denis", "Emma", "Felix",
];

pub(super) const FAMILY_NAMES: [&str; 24] = [
    "Arnaud", "Bernard", "Colin", "Dupont", "Etienne", "Fabre", "Garnier", "Henry", "Imbert", "Joly", "Klein",
    "Lambert", "Martin", "Noel", "Olivier", "Petit", "Renard", "Simon", "Thomas", "Urbain", "Vidal", "Weber", "Yvon",
    "Zeller",
];

pub(super) const GROUP_NAMES: [&str; 16] = [
    "finance",
    "council",
    "it",
    "helpdesk",
    "library",
    "schools",
    "roads",
    "culture",
    "press",
    "legal",
    "parks",
    "water",
    "housing",
    "transport",
    "archives",
    "events",
];
