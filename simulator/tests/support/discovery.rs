//! Google's discovery document as a judge: of requests (is there such a method, does it take these parameters) and of
//! answers (does the schema have these fields, of these types). The tests of the simulator and of the daemon share it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const DIRECTORY: &str = include_str!("../../wire/google/admin.directory_v1.subset.json");

pub struct Discovery {
    document: Value,
}

/// A method of the API.
pub struct Method<'d> {
    pub id: &'d str,
    described: &'d Value,
}

impl Discovery {
    /// The Admin SDK's directory, `directory_v1`.
    pub fn of_directory() -> Self {
        Self { document: serde_json::from_str(DIRECTORY).expect("JSON") }
    }

    /// The method that a request calls, when its parameters are those that the document declares; else why not.
    pub fn request(&self, verb: &str, path: &str, query: &[(String, String)]) -> Result<Method<'_>, String> {
        let method = self.method(verb, path).ok_or_else(|| format!("no method is called by {verb} {path}"))?;
        self.parameters(&method, query).map_err(|fault| format!("{}: {fault}", method.id))?;
        Ok(method)
    }

    /// Compares an answer with the schema of the method's response.
    pub fn answer(&self, method: &Method<'_>, body: &Value) -> Result<(), String> {
        let schema = &method.described["response"]["$ref"];
        self.value(&Value::from_iter([("$ref", schema.clone())]), body)
            .map_err(|fault| format!("{}: {fault}", method.id))
    }

    fn methods(&self) -> impl Iterator<Item = &Value> {
        let resources = self.document["resources"].as_object().into_iter().flat_map(Map::values);
        resources.filter_map(|resource| resource["methods"].as_object()).flat_map(Map::values)
    }

    fn method(&self, verb: &str, path: &str) -> Option<Method<'_>> {
        let described =
            self.methods().find(|method| method["httpMethod"] == verb && called(&method["flatPath"], path))?;
        Some(Method { id: described["id"].as_str()?, described })
    }

    fn parameters(&self, method: &Method<'_>, query: &[(String, String)]) -> Result<(), String> {
        let names: BTreeSet<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
        for (name, value) in query {
            let own = method.described["parameters"].get(name).filter(|described| described["location"] == "query");
            let described = own.or_else(|| self.document["parameters"].get(name));
            let described = described.ok_or_else(|| format!("takes no parameter {name}"))?;
            parameter(described, value).map_err(|fault| format!("{name}={value}: {fault}"))?;
            let times = query.iter().filter(|(other, _)| other == name).count();
            if times > 1 && described["repeated"] != true {
                return Err(format!("{name} is given {times} times"));
            }
            if name == "fields" && self.is_paged(method) && !value.contains("nextPageToken") {
                return Err("fields without nextPageToken cuts the list".to_owned());
            }
        }
        let declared = method.described["parameters"].as_object().into_iter().flatten();
        let required = declared.filter(|(_, one)| one["required"] == true && one["location"] == "query");
        match required.map(|(name, _)| name.as_str()).find(|name| !names.contains(name)) {
            Some(name) => Err(format!("needs {name}")),
            None => one_scope(method, &names),
        }
    }

    fn is_paged(&self, method: &Method<'_>) -> bool {
        let response = method.described["response"]["$ref"].as_str().unwrap_or_default();
        !self.document["schemas"][response]["properties"]["nextPageToken"].is_null()
    }

    fn value(&self, schema: &Value, value: &Value) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            // What was cut from the document can't be judged.
            return self.document["schemas"].get(name).map_or(Ok(()), |schema| self.value(schema, value));
        }
        let right = match (schema["type"].as_str().unwrap_or("any"), schema["format"].as_str()) {
            ("any", _) => true,
            ("string", Some("int64")) => value.as_str().is_some_and(|text| text.parse::<i64>().is_ok()),
            ("string", Some("date-time")) => value.as_str().is_some_and(is_instant),
            ("string", _) => value.is_string(),
            ("boolean", _) => value.is_boolean(),
            ("integer", _) => value.is_i64() || value.is_u64(),
            ("array", _) => return self.list(&schema["items"], value),
            ("object", _) => return self.object(schema, value),
            (other, _) => return Err(format!("the document has a type {other}")),
        };
        let kind_is_wrong = schema["default"].as_str().is_some_and(|default| default.contains('#') && value != default);
        if right && !kind_is_wrong { Ok(()) } else { Err(format!("is {value}, which is not {schema}")) }
    }

    fn list(&self, items: &Value, value: &Value) -> Result<(), String> {
        let values = value.as_array().ok_or_else(|| format!("is {value}, which is no list"))?;
        values.iter().try_for_each(|value| self.value(items, value))
    }

    fn object(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let fields = value.as_object().ok_or_else(|| format!("is {value}, which is no object"))?;
        let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
        fields.iter().try_for_each(|(name, value)| {
            let schema = properties.get(name).ok_or_else(|| format!("has no field {name}"))?;
            self.value(schema, value).map_err(|fault| format!("{name} {fault}"))
        })
    }
}

/// Whether a path is one of this form, each placeholder standing for one segment that is not empty.
fn called(form: &Value, path: &str) -> bool {
    let form: Vec<&str> = form.as_str().unwrap_or_default().split('/').collect();
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let fits = |(form, segment): (&&str, &&str)| form == segment || (form.starts_with('{') && !segment.is_empty());
    form.len() == path.len() && form.iter().zip(&path).all(fits)
}

fn parameter(described: &Value, value: &str) -> Result<(), String> {
    if let Some(words) = described["enum"].as_array() {
        return if words.iter().any(|word| word == value) { Ok(()) } else { Err("is none of its words".to_owned()) };
    }
    match described["type"].as_str() {
        Some("boolean") if !["true", "false"].contains(&value) => Err("is not true or false".to_owned()),
        Some("integer") => {
            let number: i64 = value.parse().map_err(|_| "is no number".to_owned())?;
            let (least, most) =
                (bound(&described["minimum"]), bound(&described["maximum"]).or(stated_maximum(described)));
            let beyond = least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most);
            if beyond { Err("is beyond its limits".to_owned()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn bound(limit: &Value) -> Option<i64> {
    limit.as_str()?.parse().ok()
}

/// Two of the limits stand in a sentence only: "Max allowed value is 200."
fn stated_maximum(described: &Value) -> Option<i64> {
    let (_, after) = described["description"].as_str()?.split_once("Max allowed value is ")?;
    after.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The lists of groups and users are of a customer, a domain or a user: the descriptions say that they exclude each other.
fn one_scope(method: &Method<'_>, names: &BTreeSet<&str>) -> Result<(), String> {
    let scopes = ["customer", "domain", "userKey"].into_iter().filter(|scope| names.contains(scope)).count();
    let lists = ["directory.groups.list", "directory.users.list"].contains(&method.id);
    if !lists || scopes == 1 { Ok(()) } else { Err(format!("names {scopes} of customer, domain and userKey")) }
}

/// `2024-01-01T08:00:00.000Z`, as far as its form goes.
fn is_instant(text: &str) -> bool {
    let form: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    form.starts_with("0000-00-00T00:00:00") && form.ends_with('Z')
}
