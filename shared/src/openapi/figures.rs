//! A figure's `value` may be `null`. What utoipa makes of a generic type does not say so.

use utoipa::{
    Modify,
    openapi::{
        OpenApi as Document, RefOr, Schema,
        schema::{Object, OneOf, SchemaType, Type},
    },
};

const ABOUT: &str = "The figure; `null` if unavailable.";

/// Says so.
pub(super) struct Figures;

impl Modify for Figures {
    fn modify(&self, document: &mut Document) {
        let Some(components) = &mut document.components else { return };
        for (name, schema) in &mut components.schemas {
            if let RefOr::T(Schema::Object(figure)) = schema
                && name.starts_with("Figure_")
                && let Some(value) = figure.properties.get_mut("value")
            {
                *value = or_null(std::mem::replace(value, Schema::default().into()));
            }
        }
    }
}

/// `schema`, or null.
fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) if object.properties.is_empty() => {
            if let SchemaType::Type(only) = &object.schema_type {
                object.schema_type = SchemaType::from_iter([only.clone(), Type::Null]);
            }
            object.description = Some(ABOUT.to_owned());
            Schema::Object(object).into()
        }
        other => {
            let mut either = OneOf::new();
            either.description = Some(ABOUT.to_owned());
            either.items = vec![other, Schema::Object(Object::with_type(Type::Null)).into()];
            Schema::OneOf(either).into()
        }
    }
}
