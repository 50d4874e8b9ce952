//! An object and nothing else. serde's derived types take a list for an object too, field by field: `[null, null, [], null]`
//! would read as a page without entries, which proves that nobody is left.
//!
//! May import: serde.

use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads as `T` does, from an object alone.
pub struct Object<T>(pub T);

struct FromMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FromMap(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for FromMap<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// A list of objects: `#[serde(deserialize_with = "json::objects")]`.
///
/// # Errors
/// When it is no list, or holds something other than objects that read as `T`.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Vec::<Object<T>>::deserialize(deserializer).map(values)
}

/// The same where there may be no list: `#[serde(default, deserialize_with = "json::objects_or_none")]`.
///
/// # Errors
/// When it is neither `null` nor a list, or holds something other than objects that read as `T`.
pub fn objects_or_none<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<Object<T>>>::deserialize(deserializer).map(|objects| objects.map(values))
}

/// What may be `null` and must not be left out: `#[serde(deserialize_with = "json::said")]`. A page that does not say what follows is not the last.
///
/// # Errors
/// When it is neither `null` nor reads as `T`.
pub fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

fn values<T>(objects: Vec<Object<T>>) -> Vec<T> {
    objects.into_iter().map(|Object(value)| value).collect()
}
