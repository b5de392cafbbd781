use anyhow::{Result, ensure};
use axum::http::Method;

use super::event::decode;

/// One route of the API and the function behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Logical id of the function.
    pub function: String,
    /// `None` is `ANY`.
    method: Option<Method>,
    path: String,
}

/// The route of every request that no other one is for.
const DEFAULT: &str = "$default";

/// One segment of a route's path.
#[derive(Debug)]
enum Segment<'a> {
    Literal(&'a str),
    /// `{name}`: any one segment.
    One(&'a str),
    /// `{name+}`: the rest of the path.
    Rest(&'a str),
}

impl<'a> Segment<'a> {
    fn parse(text: &'a str) -> Self {
        match text.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
            Some(name) => name.strip_suffix('+').map_or(Self::One(name), Self::Rest),
            None => Self::Literal(text),
        }
    }
}

impl Route {
    /// A route from the template's `Method` and `Path`.
    pub fn new(function: &str, method: &str, path: &str) -> Result<Self> {
        ensure!(path.starts_with('/'), "the path {path} does not begin with a slash");
        let method = method.to_ascii_uppercase();
        Ok(Self {
            function: function.to_owned(),
            method: if method == "ANY" { None } else { Some(method.parse()?) },
            path: path.to_owned(),
        })
    }

    /// The route of every request that no other one is for: an event with neither `Method` nor `Path`.
    pub fn default_of(function: &str) -> Self {
        Self { function: function.to_owned(), method: None, path: DEFAULT.to_owned() }
    }

    /// Whether it is the one of every request that no other one is for.
    pub fn is_default(&self) -> bool {
        self.path == DEFAULT
    }

    /// The method; `None` is `ANY`.
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// The path with its parameters in braces.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// For example `GET /v1/videos/{video_id}`.
    pub fn key(&self) -> String {
        if self.is_default() {
            return DEFAULT.to_owned();
        }
        format!("{} {}", self.method.as_ref().map_or("ANY", Method::as_str), self.path)
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.path[1..].split('/').map(Segment::parse)
    }

    /// The path's parameters, decoded, if the path is one of this route.
    fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut rest = Some(path.strip_prefix('/')?);
        let mut parameters = Vec::new();
        for segment in self.segments() {
            let remaining = rest?;
            let (first, after) = match remaining.split_once('/') {
                Some((first, after)) => (first, Some(after)),
                None => (remaining, None),
            };
            match segment {
                Segment::Literal(literal) if decode(first) == literal => rest = after,
                Segment::One(name) if !first.is_empty() => {
                    parameters.push((name.to_owned(), decode(first)));
                    rest = after;
                }
                Segment::Rest(name) if !remaining.is_empty() => {
                    parameters.push((name.to_owned(), decode(remaining)));
                    rest = None;
                }
                _ => return None,
            }
        }
        rest.is_none().then_some(parameters)
    }
}

/// The most specific route for a request, and the path's parameters.
pub(super) fn find<'r>(
    routes: &'r [Route],
    method: &Method,
    path: &str,
) -> Option<(&'r Route, Vec<(String, String)>)> {
    let most_specific = routes
        .iter()
        .filter(|route| !route.is_default())
        .filter(|route| route.method.as_ref().is_none_or(|it| it == method))
        .filter_map(|route| Some((route, route.matches(path)?)))
        .min_by_key(|(route, _)| {
            // Segment by segment: literals before parameters before the rest of a path.
            let kinds = route.segments().map(|it| match it {
                Segment::Literal(_) => 0,
                Segment::One(_) => 1,
                Segment::Rest(_) => 2,
            });
            (kinds.collect::<Vec<u8>>(), route.method.is_none())
        });
    let default = || Some((routes.iter().find(|it| it.is_default())?, Vec::new()));
    most_specific.or_else(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        [
            ("Any", "ANY", "/{proxy+}"),
            ("List", "GET", "/v1/keys"),
            ("One", "delete", "/v1/keys/{key_id}"),
            ("Own", "DELETE", "/v1/keys/mine"),
            ("Parts", "GET", "/v1/{a}/of/{b}"),
        ]
        .map(|(function, method, path)| Route::new(function, method, path).expect(path))
        .to_vec()
    }

    fn found(method: Method, path: &str) -> Option<(String, String)> {
        found_in(&routes(), method, path)
    }

    fn found_in(routes: &[Route], method: Method, path: &str) -> Option<(String, String)> {
        let (route, parameters) = find(routes, &method, path)?;
        let parameters: Vec<_> = parameters.iter().map(|(k, v)| format!("{k}={v}")).collect();
        Some((route.function.clone(), parameters.join(",")))
    }

    #[test]
    fn the_most_specific_route_wins() {
        let is = |method, path, function: &str, parameters: &str| {
            let expected = Some((function.to_owned(), parameters.to_owned()));
            assert_eq!(found(method, path), expected, "{path}");
        };
        is(Method::GET, "/v1/keys", "List", "");
        is(Method::DELETE, "/v1/keys/mine", "Own", "");
        is(Method::DELETE, "/v1/keys/k1", "One", "key_id=k1");
        is(Method::GET, "/v1/x/of/y%2Fz", "Parts", "a=x,b=y/z");
        is(Method::POST, "/v1/keys", "Any", "proxy=v1/keys");
        is(Method::GET, "/v1/keys/", "Any", "proxy=v1/keys/");
        assert_eq!(found(Method::GET, "/"), None);
        assert_eq!(found(Method::GET, ""), None);
    }

    #[test]
    fn each_method_is_routed_by_itself_and_any_takes_what_is_left() {
        let routes = [
            ("List", "ANY", "/v1/keys"),
            ("Make", "POST", "/v1/keys"),
            ("Only", "GET", "/docs"),
            ("Batch", "POST", "/v1/videos/batch"),
            ("Video", "ANY", "/v1/videos/{video_id}"),
        ]
        .map(|(function, method, path)| Route::new(function, method, path).expect(path));
        let by = |method, path| found_in(&routes, method, path).map(|it| it.0);
        assert_eq!(by(Method::POST, "/v1/keys").as_deref(), Some("Make"));
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH] {
            assert_eq!(by(method, "/v1/keys").as_deref(), Some("List"));
        }
        // No HEAD where there is only a GET, and no answer to a preflight where none is set up.
        for method in [Method::HEAD, Method::OPTIONS, Method::POST] {
            assert_eq!(by(method, "/docs"), None);
        }
        assert_eq!(by(Method::POST, "/v1/videos/batch").as_deref(), Some("Batch"));
        assert_eq!(by(Method::PUT, "/v1/videos/batch").as_deref(), Some("Video"));
        let with_default = [&routes[..], &[Route::default_of("Rest")]].concat();
        for (method, path) in [(Method::HEAD, "/docs"), (Method::GET, "/"), (Method::GET, "/a/b")] {
            let rest = Some(("Rest".to_owned(), String::new()));
            assert_eq!(found_in(&with_default, method, path), rest, "{path}");
        }
        let docs = found_in(&with_default, Method::GET, "/docs").map(|it| it.0);
        assert_eq!(docs.as_deref(), Some("Only"));
    }

    #[test]
    fn route_keys_are_those_of_api_gateway() {
        let keys: Vec<_> = routes().iter().map(Route::key).collect();
        assert_eq!(keys[0], "ANY /{proxy+}");
        assert_eq!(keys[2], "DELETE /v1/keys/{key_id}");
        assert_eq!(Route::default_of("F").key(), "$default");
        assert!(Route::new("F", "GET", "v1").is_err());
        assert!(Route::new("F", "G T", "/v1").is_err());
    }
}
