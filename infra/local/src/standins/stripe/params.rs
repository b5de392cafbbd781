//! Parameters with nested names, as forms and queries have them: `items[0][price]`.

use std::collections::BTreeMap;

use super::{model::Metadata, refusal::Refusal};

/// Names as they are written, with positions where `[]` had none. What is read is taken out, so
/// that what is left in the end is unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub(super) fn parse(form: &[u8]) -> Self {
        let mut params = BTreeMap::new();
        let mut positions: BTreeMap<String, usize> = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(form) {
            let name = match name.split_once("[]") {
                Some((list, rest)) => {
                    let position = positions.entry(name.clone().into_owned()).or_default();
                    *position += 1;
                    format!("{list}[{}]{rest}", *position - 1)
                }
                None => name.into_owned(),
            };
            params.insert(name, value.into_owned());
        }
        Self(params)
    }

    /// The same text for the same parameters, in whatever order they came.
    pub(super) fn canonical(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// The first name that begins with none of `names`.
    pub(super) fn other_than(&self, names: &[&str]) -> Option<&str> {
        let mut all = self.0.keys().map(|it| it.split('[').next().unwrap_or(it));
        all.find(|it| !names.contains(it))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// As [`Self::text`]; the empty string is nothing.
    pub(super) fn nonempty(&mut self, name: &str) -> Option<String> {
        self.text(name).filter(|it| !it.is_empty())
    }

    pub(super) fn required(&mut self, name: &str) -> Result<String, Refusal> {
        self.nonempty(name).ok_or_else(|| Refusal::parameter_missing(name))
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let invalid = || {
            Refusal::invalid(format!("Invalid integer: {text}"))
                .code("parameter_invalid_integer")
                .param(name)
                .unexecuted()
        };
        text.parse().map(Some).map_err(|_| invalid())
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        self.choice(name, &[("true", true), ("false", false)])
    }

    /// A value out of a list of words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = words.iter().find(|it| it.0 == text).map(|it| it.1);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|it| it.0).collect();
            Refusal::parameter_invalid(name, &format!("one of {}", words.join(", ")))
        })
    }

    /// Everything in `name[…]`, by what is in the brackets.
    pub(super) fn map(&mut self, name: &str) -> BTreeMap<String, String> {
        let start = format!("{name}[");
        let names: Vec<_> = self.0.keys().filter(|it| it.starts_with(&start)).cloned().collect();
        let mut map = BTreeMap::new();
        for long in names {
            let key = long[start.len()..].strip_suffix(']').map(str::to_owned);
            // Something nested deeper is left, as unknown.
            if let Some(key) = key.filter(|it| !it.contains('['))
                && let Some(value) = self.0.remove(&long)
            {
                map.insert(key, value);
            }
        }
        map
    }

    /// The values of `name[0]`, `name[1]`, ….
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let mut values: Vec<_> = self.map(name).into_iter().collect();
        values.sort_by_key(|(position, _)| position.parse::<usize>().unwrap_or(usize::MAX));
        values.into_iter().map(|(_, value)| value).collect()
    }

    /// Merges the form's metadata into `old`: an empty value deletes its key, and an empty
    /// `metadata` all of them.
    pub(super) fn metadata(&mut self, name: &str, old: &Metadata) -> Result<Metadata, Refusal> {
        let mut metadata = match self.text(name) {
            Some(text) if text.is_empty() => Metadata::new(),
            Some(_) => return Err(Refusal::parameter_invalid(name, "an object")),
            None => old.clone(),
        };
        for (key, value) in self.map(name) {
            if value.is_empty() {
                metadata.remove(&key);
                continue;
            }
            if key.chars().count() > 40 || value.chars().count() > 500 {
                let message = "Metadata keys can have up to 40 characters and values up to 500.";
                return Err(Refusal::invalid(message).param(&format!("{name}[{key}]")));
            }
            metadata.insert(key, value);
        }
        if metadata.len() > 50 {
            return Err(Refusal::invalid("You can have up to 50 metadata keys.").param(name));
        }
        Ok(metadata)
    }

    /// Checks that nothing is left that nobody has asked for.
    pub(super) fn finish(&self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            Some(name) => Err(Refusal::parameter_unknown(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_are_read_once_and_what_is_left_is_unknown() {
        let form = b"items%5B0%5D%5Bprice%5D=price_1&lookup_keys[]=a&lookup_keys[]=b&limit=3&x=1";
        let mut params = Params::parse(form);
        assert_eq!(params.text("items[0][price]").as_deref(), Some("price_1"));
        assert_eq!(params.list("lookup_keys"), ["a", "b"]);
        assert_eq!(params.number("limit").expect("a number"), Some(3));
        assert!(params.finish().is_err());
        assert_eq!(params.text("x").as_deref(), Some("1"));
        assert!(params.finish().is_ok());
    }

    #[test]
    fn metadata_is_merged() {
        let old = Metadata::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        let merged = Params::parse(b"metadata[a]=&metadata[c]=3").metadata("metadata", &old);
        let wanted = Metadata::from([("b".into(), "2".into()), ("c".into(), "3".into())]);
        assert_eq!(merged.expect("metadata"), wanted);
        let cleared = Params::parse(b"metadata=").metadata("metadata", &old);
        assert!(cleared.expect("metadata").is_empty());
        let long = format!("metadata[{}]=1", "k".repeat(41));
        assert!(Params::parse(long.as_bytes()).metadata("metadata", &old).is_err());
    }

    #[test]
    fn the_order_of_parameters_does_not_matter() {
        let (one, other) = (Params::parse(b"a=1&b=2"), Params::parse(b"b=2&a=1"));
        assert_eq!(one.canonical(), other.canonical());
    }
}
