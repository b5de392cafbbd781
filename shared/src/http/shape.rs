//! How a caller wants an answer: which fields of it, with or without where they come from, and whether
//! it is worth sending again.

use std::collections::BTreeMap;

use lambda_http::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr,
        schema::{AdditionalProperties, ArrayItems, Schema},
    },
};

use super::{Call, Reply};
use crate::error::{Error, InputError};

/// Longest list of fields, in bytes.
const MAX_FIELDS: usize = 1_000;

/// How deep a field is looked for that was asked for at the wrong place.
const DEPTH: usize = 2;

/// Fields that change with each answer although nothing else does: no part of an `ETag`.
const VOLATILE: [&str; 2] = ["\"age_seconds\":", "\"cached\":"];

/// What the parameters `fields` and `trim` and the field `If-None-Match` ask for.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    fields: Option<Fields>,
    trim: bool,
    known: Vec<String>,
}

/// Names of fields, each with those wanted of it; none of them: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields(BTreeMap<String, Fields>);

impl Shape {
    /// Reads the parameters of a request that is answered with a `T`: a field that it does not have is
    /// refused, before anything is done.
    pub fn of<T: ToSchema>(call: &Call) -> Result<Self, InputError> {
        let fields = call.query("fields").map(|it| Fields::of::<T>(&it)).transpose()?;
        let trim = match call.query("trim").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(InputError::field("trim", "must be `true` or `false`")),
        };
        let tags = call.header(header::IF_NONE_MATCH.as_str()).unwrap_or_default();
        let known = tags.split(',').map(|tag| opaque(tag).to_owned()).collect();
        Ok(Self { fields, trim, known })
    }

    /// What goes into the log of it.
    pub fn parameters(&self, call: &Call) -> Vec<(String, String)> {
        let given = |name: &str| Some((name.to_owned(), call.query(name)?));
        ["fields", "trim"].into_iter().filter_map(given).collect()
    }

    /// `value` as it is wanted; 304 without a body if the caller has it already.
    pub fn answer(&self, value: &impl Serialize) -> Result<Reply, Error> {
        let json = self.shaped(value)?;
        let tag = etag(&json);
        let is_known = self.known.iter().any(|it| it == opaque(&tag) || it == "*");
        let reply = if is_known {
            Reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            Reply::text(StatusCode::OK, "application/json", json)
        };
        let tag = HeaderValue::from_str(&tag).map_err(Error::internal)?;
        // To be kept by the caller alone, and asked for again each time.
        let keep = HeaderValue::from_static("private, no-cache");
        Ok(reply.with(header::ETAG, tag).with(header::CACHE_CONTROL, keep))
    }

    /// As [`Shape::answer`], for what is not asked for by its address alone.
    pub fn answer_post(&self, value: &impl Serialize) -> Result<Reply, Error> {
        Ok(Reply::text(StatusCode::OK, "application/json", self.shaped(value)?))
    }

    fn shaped(&self, value: &impl Serialize) -> Result<String, Error> {
        // As it is, which is what most ask for, it needs no tree in between.
        if self.fields.is_none() && !self.trim {
            return serde_json::to_string(value).map_err(Error::internal);
        }
        let mut value = serde_json::to_value(value).map_err(Error::internal)?;
        if let Some(fields) = &self.fields {
            fields.select(&mut value);
        }
        if self.trim {
            trim(&mut value);
        }
        serde_json::to_string(&value).map_err(Error::internal)
    }
}

impl Fields {
    /// `a,b.c,b.d`: names joined by dots, with commas in between.
    fn parse(text: &str) -> Result<Self, InputError> {
        let invalid = || {
            let reason = "must be names of the answer's fields, such as `id,statistics.views`";
            InputError::field("fields", reason)
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
        };
        if text.len() > MAX_FIELDS {
            return Err(invalid());
        }
        let mut fields = Self::default();
        for path in text.split(',').map(str::trim) {
            let mut at = &mut fields;
            let mut is_new = true;
            for name in path.split('.') {
                if !is_name(name) {
                    return Err(invalid());
                }
                // `a` takes all of `a`, whatever `a.b` says besides.
                if !is_new && at.0.is_empty() {
                    break;
                }
                is_new = !at.0.contains_key(name);
                at = at.0.entry(name.to_owned()).or_default();
            }
            at.0.clear();
        }
        Ok(fields)
    }

    /// As [`Fields::parse`], each a field of `T`.
    fn of<T: ToSchema>(text: &str) -> Result<Self, InputError> {
        let fields = Self::parse(text)?;
        let mut schemas = Vec::new();
        T::schemas(&mut schemas);
        fields.check(&T::schema(), &schemas.into_iter().collect(), "")?;
        Ok(fields)
    }

    /// Fails on a field that `schema` does not have.
    fn check(&self, schema: &RefOr<Schema>, all: &Schemas, path: &str) -> Result<(), InputError> {
        for (name, inner) in &self.0 {
            let within = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match part(schema, all, name) {
                Some(Part::Of(part)) => inner.check(part, all, &within)?,
                Some(Part::Any) => {}
                None => {
                    let there = parts(schema, all);
                    let reason = if there.is_empty() {
                        format!("names a part of `{path}`, which has none")
                    } else {
                        let there: Vec<_> = there.iter().map(|it| format!("`{it}`")).collect();
                        let there = there.join(", ");
                        let elsewhere = elsewhere(schema, all, name, DEPTH);
                        let elsewhere = elsewhere.map(|it| match path {
                            "" => format!("; perhaps you mean `{it}`"),
                            _ => format!("; perhaps you mean `{path}.{it}`"),
                        });
                        format!(
                            "names `{within}`, which the answer does not have; it has {there}{}",
                            elsewhere.unwrap_or_default()
                        )
                    };
                    return Err(InputError::field("fields", reason));
                }
            }
        }
        Ok(())
    }

    /// Leaves of `value` what is wanted; of a list, of each entry. What is not there is `null`, and so is a
    /// part of what is `null`.
    fn select(&self, value: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Value::Object(object) => {
                let mut wanted = Map::new();
                for (name, inner) in &self.0 {
                    let mut field = object.remove(name).unwrap_or_default();
                    inner.select(&mut field);
                    wanted.insert(name.clone(), field);
                }
                *object = wanted;
            }
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.select(entry)),
            _ => {}
        }
    }
}

/// Schemas by their names.
type Schemas = BTreeMap<String, RefOr<Schema>>;

/// What an object may have under a name.
enum Part<'a> {
    Of(&'a RefOr<Schema>),
    /// Anything: its names are not told.
    Any,
}

/// What `schema` has under `name`; of a list, what its entries have.
fn part<'a>(schema: &'a RefOr<Schema>, all: &'a Schemas, name: &str) -> Option<Part<'a>> {
    if let RefOr::T(Schema::Object(object)) = schema {
        if let Some(part) = object.properties.get(name) {
            return Some(Part::Of(part));
        }
        return match object.additional_properties.as_deref()? {
            AdditionalProperties::RefOr(part) => Some(Part::Of(part)),
            AdditionalProperties::FreeForm(is_any) => is_any.then_some(Part::Any),
        };
    }
    inner(schema, all).into_iter().find_map(|it| part(it, all, name))
}

/// The names of what `schema` has, as [`part`] finds them.
fn parts<'a>(schema: &'a RefOr<Schema>, all: &'a Schemas) -> Vec<&'a str> {
    if let RefOr::T(Schema::Object(object)) = schema {
        return object.properties.keys().map(String::as_str).collect();
    }
    inner(schema, all).into_iter().flat_map(|it| parts(it, all)).collect()
}

/// The path of a field called `name` deeper in `schema`: of what a list's entries have, say.
fn elsewhere(schema: &RefOr<Schema>, all: &Schemas, name: &str, depth: usize) -> Option<String> {
    let within = |outer: &str| match part(schema, all, outer) {
        Some(Part::Of(inner)) => Some(inner),
        _ => None,
    };
    let names = parts(schema, all);
    let here = names
        .iter()
        .find(|outer| within(outer).is_some_and(|inner| parts(inner, all).contains(&name)));
    if let Some(outer) = here {
        return Some(format!("{outer}.{name}"));
    }
    names.iter().find_map(|outer| {
        let deeper = elsewhere(within(outer)?, all, name, depth.checked_sub(1)?)?;
        Some(format!("{outer}.{deeper}"))
    })
}

/// What `schema` stands for, where it is no object itself.
fn inner<'a>(schema: &'a RefOr<Schema>, all: &'a Schemas) -> Vec<&'a RefOr<Schema>> {
    match schema {
        RefOr::Ref(of) => {
            all.get(of.ref_location.rsplit('/').next().unwrap_or_default()).into_iter().collect()
        }
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(entry) => vec![entry.as_ref()],
            ArrayItems::False => Vec::new(),
        },
        RefOr::T(Schema::OneOf(either)) => either.items.iter().collect(),
        RefOr::T(Schema::AnyOf(any)) => any.items.iter().collect(),
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Puts the bare value in the place of each figure with its provenance.
fn trim(value: &mut Value) {
    match value {
        Value::Object(fields) if fields.contains_key("basis") && fields.contains_key("value") => {
            let mut bare = fields.remove("value").unwrap_or_default();
            trim(&mut bare);
            *value = bare;
        }
        Value::Object(fields) => fields.values_mut().for_each(trim),
        Value::Array(entries) => entries.iter_mut().for_each(trim),
        _ => {}
    }
}

/// A weak validator (RFC 9110 §8.8.1): two answers have the same one if they say the same. Of the JSON
/// everything counts but the values of [`VOLATILE`] fields, which are numbers and booleans. Inside a text
/// their names cannot stand like this: its quotation marks are escaped.
fn etag(json: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut rest = json;
    let next = |text: &str| {
        let found = VOLATILE.iter().filter_map(|name| Some(text.find(name)? + name.len()));
        found.min()
    };
    while let Some(at) = next(rest) {
        let (before, value) = rest.split_at(at);
        hasher.update(before.as_bytes());
        rest = &value[value.find([',', '}']).unwrap_or(value.len())..];
    }
    hasher.update(rest.as_bytes());
    format!("W/\"{:.32}\"", hasher.finalize().to_hex())
}

/// A tag without its mark of weakness: `If-None-Match` compares weakly (RFC 9110 §13.1.2).
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::video::{Batch, Comments, Creator, Figure, Hashtag, Video, VideoPage};

    fn figure(value: Value) -> Value {
        json!({ "value": value, "basis": "observed", "source": "oembed", "reason": null })
    }

    fn answer() -> Value {
        json!({
            "id": "1",
            "author": { "username": figure("a".into()), "url": figure("b".into()) },
            "list": [{ "id": "2", "views": figure(7.into()) }, { "id": "3", "views": figure(Value::Null) }],
            "none": null,
            "counts": { "likes": 1 },
            "cached": true,
            "age_seconds": 5,
        })
    }

    #[derive(Serialize, ToSchema)]
    struct Answer {
        id: String,
        author: Author,
        list: Vec<Entry>,
        none: Option<Entry>,
        counts: BTreeMap<String, Option<u64>>,
        cached: bool,
        age_seconds: u64,
    }

    #[derive(Serialize, ToSchema)]
    struct Author {
        username: Figure<String>,
        url: Figure<String>,
    }

    #[derive(Serialize, ToSchema)]
    struct Entry {
        id: String,
        views: Figure<u64>,
    }

    fn select(fields: &str) -> Result<Value, InputError> {
        let mut value = answer();
        Fields::of::<Answer>(fields)?.select(&mut value);
        Ok(value)
    }

    #[test]
    fn only_what_is_named_is_left() {
        assert_eq!(select("id").unwrap(), json!({ "id": "1" }));
        let inner = select("list.id, author.username.value,none.id,counts.views").unwrap();
        let expected = json!({
            "author": { "username": { "value": "a" } },
            "list": [{ "id": "2" }, { "id": "3" }],
            "none": null,
            "counts": { "views": null },
        });
        assert_eq!(inner, expected);
        for all in ["author,author.url", "author.url,author"] {
            assert_eq!(select(all).unwrap(), json!({ "author": answer()["author"] }), "{all}");
        }
    }

    #[test]
    fn a_field_that_there_is_not_is_named() {
        for wrong in
            ["ids", "author.name", "id.x", "", "a..b", "A", "id,,", "list.views.x", "none.more"]
        {
            assert!(select(wrong).is_err(), "{wrong}");
        }
        let error = select("author.name").unwrap_err().to_string();
        assert!(error.contains("`author.name`") && error.contains("`url`"), "{error}");
        for (asked, meant) in [
            (Fields::of::<VideoPage>("id,statistics.views"), "`videos.id`"),
            (Fields::of::<VideoPage>("statistics.views"), "`videos.statistics`"),
            (Fields::of::<Batch>("caption"), "`items.video.caption`"),
            (Fields::of::<Video>("views"), "`statistics.views`"),
        ] {
            let error = asked.unwrap_err().to_string();
            assert!(error.contains(&format!("perhaps you mean {meant}")), "{error}");
        }
        let error = Fields::of::<VideoPage>("id").unwrap_err().to_string();
        assert!(error.contains("it has") && error.contains("`next_cursor`"), "{error}");
        let error = select("id.x").unwrap_err().to_string();
        assert!(error.contains("`id`, which has none"), "{error}");
    }

    #[test]
    fn every_field_of_every_answer_can_be_asked_for_and_no_other() {
        fn check<T: ToSchema>(good: &[&str], list: &str) {
            for fields in good {
                assert!(Fields::of::<T>(fields).is_ok(), "{fields}");
            }
            for fields in ["nope", "cached.nope", list] {
                assert!(Fields::of::<T>(fields).is_err(), "{fields}");
            }
        }
        let video = "id,author.username.value,statistics.views.source,thumbnail.value.url,country,\
                     engagement.share_rate.inputs.shares,labels.value.type,created_at.basis";
        check::<Video>(&[video], "statistics.nope");
        let page =
            "videos.id,videos.engagement.view_velocity.value,hashtags.name,next_cursor,age_seconds";
        check::<VideoPage>(&[page], "videos.nope");
        check::<Batch>(&["charged,items.video.caption.value,items.status"], "items.video.nope");
        check::<Comments>(&["comments.text,next_cursor,fetched_at"], "comments.author");
        check::<Creator>(&["followers.value,recent.posting_times.value.by_hour"], "recent.nope");
        check::<Hashtag>(&["regions.value.country,sample.creators"], "regions.value.nope");
    }

    #[test]
    fn trimmed_figures_are_bare_values() {
        let mut value = answer();
        trim(&mut value);
        assert_eq!(value["author"], json!({ "username": "a", "url": "b" }));
        assert_eq!(value["list"], json!([{ "id": "2", "views": 7 }, { "id": "3", "views": null }]));
    }

    #[test]
    fn a_tag_changes_with_what_is_said_and_with_nothing_else() {
        let tag = |value: &Value| etag(&value.to_string());
        let mut later = answer();
        later["age_seconds"] = 600.into();
        later["cached"] = false.into();
        assert_eq!(tag(&later), tag(&answer()));
        later["list"][0]["views"]["value"] = 8.into();
        assert_ne!(tag(&later), tag(&answer()));
        assert_eq!(opaque(&tag(&later)), tag(&later).trim_start_matches("W/"));
        // A text that looks like it is no such field.
        let text = |it: &str| json!({ "text": format!("\"cached\":{it},") });
        assert_ne!(tag(&text("true")), tag(&text("false")));
    }

    proptest! {
        #[test]
        fn any_list_of_fields_is_survived(text in "[a-z_.,A ]{0,30}") {
            let _ = select(&text);
        }
    }
}
