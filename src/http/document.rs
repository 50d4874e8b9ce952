//! What the OpenAPI document says of every route alike.
//!
//! A document that is laxer or stricter than the routes makes generated clients send what is refused, or keep back what is taken.

use axum::http::Method;
use utoipa::Number;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, PathItem, Ref, RefOr, Required, ResponseBuilder, Schema};

use super::admin::PAGE_ROWS_MAX;
use super::auth::{Keyed, keyed};
use super::idempotency::KEY_BYTES_MAX;
use crate::access::WAIT_MAX;

/// Gives every parameter of a query the form in which it is read.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if let Some(post) = &mut item.post {
            keyed_post(path, post);
        }
    }
    let operations = document.paths.paths.values_mut().flat_map(operations);
    for parameter in operations.flat_map(|operation| operation.parameters.iter_mut().flatten()) {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Query
        {
            read(parameter);
        }
    }
}

/// Says of a POST what an `Idempotency-Key` is to it.
fn keyed_post(path: &str, post: &mut Operation) {
    let mut adds = |status: &str, what: &str| {
        if let Some(RefOr::T(response)) = post.responses.responses.get_mut(status) {
            response.description = format!("{}; or {what}", response.description);
        }
    };
    match keyed(&Method::POST, Some(path)) {
        Keyed::Never => {}
        Keyed::Refused => adds("400", "there is an `Idempotency-Key`: a secret is not told twice"),
        Keyed::Taken => {
            adds("400", "the `Idempotency-Key` is malformed");
            adds("409", "the request of this `Idempotency-Key` is not answered yet");
            let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
            let schema = schema.max_length(Some(KEY_BYTES_MAX)).pattern(Some("^[!-~]+$"));
            let told = "Carries the request out once: the same one under the same key is given the first answer again, with \
                `Idempotency-Replayed: true`, for a day";
            let header = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
            let header = header.required(Required::False).description(Some(told)).schema(Some(schema));
            post.parameters.get_or_insert_default().push(RefOr::T(header.build()));
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let reused = ResponseBuilder::new().description("The `Idempotency-Key` came with another request before");
            let reused = reused.content("application/problem+json", problem).build();
            post.responses.responses.insert("422".to_owned(), RefOr::T(reused));
        }
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// A query has texts and no `null`: what is not wanted is left out. Numbers have their limits.
fn read(parameter: &mut Parameter) {
    let number = |minimum: u64, maximum: u64| {
        let bounds = ObjectBuilder::new().minimum(Some(Number::from(minimum))).maximum(Some(Number::from(maximum)));
        Some(RefOr::T(Schema::from(bounds.schema_type(Type::Integer).build())))
    };
    match parameter.name.as_str() {
        "limit" => parameter.schema = number(1, PAGE_ROWS_MAX),
        "wait_ms" => parameter.schema = number(0, u64::try_from(WAIT_MAX.as_millis()).unwrap_or(u64::MAX)),
        "min_position" => parameter.schema = number(0, i64::MAX.unsigned_abs()),
        _ => {}
    }
    let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema else { return };
    if let SchemaType::Array(types) = &mut object.schema_type {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            object.schema_type = SchemaType::Type(only.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn every_parameter_is_told_where_it_is_read_and_as_it_is_read() {
        let document = serde_json::to_value(crate::http::openapi()).expect("JSON");
        let mut limits = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let (name, place) = (parameter["name"].as_str().expect("a name"), &parameter["in"]);
                    let told = format!("{method} {path}: {parameter}");
                    let in_path = path.contains(&format!("{{{name}}}"));
                    assert_eq!(*place == json!("path"), in_path, "{told}");
                    assert!(!in_path || parameter["required"] == json!(true), "{told}");
                    let schema = &parameter["schema"];
                    assert!(*place != json!("query") || schema["type"].is_string(), "no null in a query: {told}");
                    if name == "limit" {
                        limits += 1;
                        let bounds = ["type", "minimum", "maximum"].map(|key| schema[key].clone());
                        assert_eq!(bounds, [json!("integer"), json!(1), json!(1_000)], "{told}");
                        assert_ne!(parameter["required"], json!(true), "{told}");
                    }
                }
            }
        }
        assert!(limits > 10, "{limits}");
        let required = |path: &str, name: &str| -> Value {
            let parameters = document["paths"][path]["get"]["parameters"].as_array().expect("parameters");
            parameters.iter().find(|parameter| parameter["name"] == name).expect("told")["required"].clone()
        };
        assert_eq!(required("/api/v1/why", "user"), json!(true));
        assert_eq!(required("/api/v1/history", "user"), json!(false));
    }
}
