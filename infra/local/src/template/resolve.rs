//! CloudFormation's intrinsic functions, as far as our template uses them.

use std::{cell::RefCell, collections::BTreeMap};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use yaml_serde::{Mapping, Value as Yaml};

use super::{
    events::rule_arn,
    queue::{queue_arn, queue_url},
};
use crate::standins::{ACCOUNT, REGION};

/// A node of the template, or nothing where it said `!Ref AWS::NoValue`.
type Resolved = Result<Option<Value>>;

/// Everything a reference can point at.
#[derive(Debug)]
pub(super) struct Resolver<'t> {
    stack: &'t str,
    parameters: BTreeMap<String, Value>,
    conditions: Option<&'t Mapping>,
    resources: &'t Mapping,
    /// Names under way, to tell a circle from a chain.
    visiting: RefCell<Vec<String>>,
}

impl<'t> Resolver<'t> {
    /// Reads the parameters' values: those given, else the template's defaults.
    pub(super) fn new(
        stack: &'t str,
        root: &'t Mapping,
        given: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (name, declared) in section(root, "Parameters").into_iter().flatten() {
            let name = name.as_str().context("a parameter's name is not a string")?;
            let text = match (given.get(name), declared.get("Default")) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => scalar(default)
                    .with_context(|| format!("the default of parameter {name} is not a scalar"))?,
                (None, None) => bail!("parameter {name} has no default and was not given"),
            };
            let is_list = declared
                .get("Type")
                .and_then(Yaml::as_str)
                .is_some_and(|it| it == "CommaDelimitedList" || it.starts_with("List<"));
            let value = if is_list {
                text.split(',').map(|it| Value::from(it.trim())).collect()
            } else {
                Value::from(text)
            };
            parameters.insert(name.to_owned(), value);
        }
        if let Some(unknown) = given.keys().find(|it| !parameters.contains_key(*it)) {
            bail!("the template has no parameter {unknown}");
        }
        Ok(Self {
            stack,
            parameters,
            conditions: section(root, "Conditions"),
            resources: section(root, "Resources").context("the template has no Resources")?,
            visiting: RefCell::default(),
        })
    }

    /// The node with every intrinsic function replaced by its value.
    pub(super) fn resolve(&self, node: &Yaml) -> Resolved {
        match node {
            Yaml::Null => Ok(Some(Value::Null)),
            Yaml::Bool(it) => Ok(Some((*it).into())),
            Yaml::String(it) => Ok(Some(it.as_str().into())),
            Yaml::Number(it) => Ok(Some(serde_json::to_value(it)?)),
            Yaml::Sequence(items) => Ok(Some(Value::Array(self.list(items)?))),
            Yaml::Tagged(tagged) => {
                let tag = tagged.tag.to_string();
                let name = tag.trim_start_matches('!');
                let function = match name {
                    "Ref" | "Condition" => name.to_owned(),
                    _ => format!("Fn::{name}"),
                };
                self.call(&function, &tagged.value).with_context(|| format!("in !{name}"))
            }
            Yaml::Mapping(map) => {
                if let Some((function, argument)) = long_form(map) {
                    return self.call(function, argument).with_context(|| format!("in {function}"));
                }
                let mut object = Map::new();
                for (key, value) in map {
                    let key = scalar(key).context("a key is not a scalar")?;
                    let value = self.resolve(value).with_context(|| format!("in {key}"))?;
                    object.extend(value.map(|value| (key, value)));
                }
                Ok(Some(Value::Object(object)))
            }
        }
    }

    /// Whether a resource's `Condition`, if it has one, holds.
    pub(super) fn is_wanted(&self, resource: &Yaml) -> Result<bool> {
        match resource.get("Condition").and_then(Yaml::as_str) {
            Some(name) => self.condition(name),
            None => Ok(true),
        }
    }

    fn call(&self, function: &str, argument: &Yaml) -> Resolved {
        match function {
            "Ref" => self.reference(&self.text(argument)?),
            "Condition" => Ok(Some(self.condition(&self.text(argument)?)?.into())),
            "Fn::GetAtt" => {
                let path = match argument {
                    Yaml::Sequence(parts) => self.strings(parts)?.join("."),
                    it => self.text(it)?,
                };
                self.attribute(&path).map(Some)
            }
            "Fn::Sub" => self.substitute(argument).map(|it| Some(it.into())),
            "Fn::If" => {
                let [name, yes, no] = arguments(argument)?;
                let branch = if self.condition(&self.text(name)?)? { yes } else { no };
                self.resolve(branch)
            }
            "Fn::Equals" => {
                let [left, right] = arguments(argument)?;
                Ok(Some((self.resolve(left)? == self.resolve(right)?).into()))
            }
            "Fn::Not" => {
                let [it] = arguments(argument)?;
                Ok(Some((!self.truth(it)?).into()))
            }
            "Fn::And" | "Fn::Or" => {
                let items = argument.as_sequence().context("takes a list")?;
                let truths: Vec<bool> =
                    items.iter().map(|it| self.truth(it)).collect::<Result<_>>()?;
                let all = function == "Fn::And";
                Ok(Some(truths.iter().fold(all, |a, b| if all { a && *b } else { a || *b }).into()))
            }
            "Fn::Join" => {
                let [separator, items] = arguments(argument)?;
                let items = self.resolve(items)?.unwrap_or(Value::Null);
                let items = items.as_array().context("takes a list to join")?;
                let items: Vec<String> = items.iter().map(to_text).collect::<Result<_>>()?;
                Ok(Some(items.join(&self.text(separator)?).into()))
            }
            "Fn::Select" => {
                let [index, items] = arguments(argument)?;
                let index: usize = self.text(index)?.parse().context("the index")?;
                let items = self.resolve(items)?.unwrap_or(Value::Null);
                let item = items.get(index).cloned();
                item.with_context(|| format!("the list has no item {index}")).map(Some)
            }
            "Fn::Split" => {
                let [separator, text] = arguments(argument)?;
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                Ok(Some(text.split(&separator).map(Value::from).collect()))
            }
            other => bail!("{other} is not supported by the local cloud"),
        }
    }

    fn reference(&self, name: &str) -> Resolved {
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return Ok(match pseudo {
                "NoValue" => None,
                "AccountId" => Some(ACCOUNT.into()),
                "Partition" => Some("aws".into()),
                "Region" => Some(REGION.into()),
                "StackName" => Some(self.stack.into()),
                "StackId" => Some(self.arn("cloudformation", &format!("stack/{}/1", self.stack))),
                "URLSuffix" => Some("amazonaws.com".into()),
                _ => bail!("there is no pseudo parameter {name}"),
            });
        }
        let id = self.physical_id(name)?;
        let resource = self.resources.get(name);
        if let Some(resource) = resource {
            self.check_wanted(name, resource)?;
        }
        let kind = resource.map(resource_type);
        let is_queue = kind == Some("AWS::SQS::Queue");
        Ok(Some(if is_queue { queue_url(&id).into() } else { id.into() }))
    }

    /// What `!Ref` gives for a resource, except for a queue: its name where the template gives it one.
    pub(super) fn physical_id(&self, name: &str) -> Result<String> {
        let resource =
            self.resources.get(name).with_context(|| format!("nothing is named {name}"))?;
        let named_by = match resource_type(resource) {
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::Serverless::Function" => "FunctionName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::Events::Rule" | "AWS::SES::ConfigurationSet" => "Name",
            // Names of buckets have no capitals.
            "AWS::S3::Bucket" => {
                return Ok(format!("{}-{name}", self.stack).to_ascii_lowercase());
            }
            _ => return Ok(name.to_owned()),
        };
        match resource.get("Properties").and_then(|it| it.get(named_by)) {
            Some(given) => self.guarded(name, || self.text(given)),
            None => Ok(format!("{}-{name}", self.stack)),
        }
    }

    /// CloudFormation refuses a template that refers to a resource whose condition does not hold.
    fn check_wanted(&self, name: &str, resource: &Yaml) -> Result<()> {
        match self.is_wanted(resource)? {
            true => Ok(()),
            false => bail!("{name} is referred to, but its condition does not hold"),
        }
    }

    /// What `!GetAtt` gives; only the attributes that policies and settings need.
    fn attribute(&self, path: &str) -> Result<Value> {
        let (name, attribute) = path.split_once('.').context("needs `Resource.Attribute`")?;
        let resource =
            self.resources.get(name).with_context(|| format!("nothing is named {name}"))?;
        self.check_wanted(name, resource)?;
        let id = self.physical_id(name)?;
        Ok(match (resource_type(resource), attribute) {
            ("AWS::DynamoDB::Table", "Arn") => self.arn("dynamodb", &format!("table/{id}")),
            ("AWS::Serverless::Function", "Arn") => self.arn("lambda", &format!("function:{id}")),
            ("AWS::Logs::LogGroup", "Arn") => self.arn("logs", &format!("log-group:{id}:*")),
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{id}").into(),
            ("AWS::SQS::Queue", "Arn") => queue_arn(&id).into(),
            ("AWS::SQS::Queue", "QueueName") => id.into(),
            ("AWS::SNS::Topic", "TopicArn") => self.arn("sns", &id),
            ("AWS::Events::Rule", "Arn") => rule_arn(&id).into(),
            (kind, _) => bail!("{attribute} of {name} ({kind}) is not known to the local cloud"),
        })
    }

    fn arn(&self, service: &str, resource: &str) -> Value {
        format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}").into()
    }

    fn substitute(&self, argument: &Yaml) -> Result<String> {
        let (text, local) = match argument {
            Yaml::Sequence(parts) if parts.len() == 2 => (&parts[0], parts[1].as_mapping()),
            it => (it, None),
        };
        let mut rest = text.as_str().context("takes a string")?;
        let mut out = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').context("a `${` is not closed")?;
            out.push_str(before);
            if let Some(literal) = name.strip_prefix('!') {
                out.extend(["${", literal, "}"]);
            } else if let Some(value) = local.and_then(|it| it.get(name)) {
                out.push_str(&self.text(value)?);
            } else if name.contains('.') {
                out.push_str(&to_text(&self.attribute(name)?)?);
            } else {
                let value = self.reference(name)?.context("AWS::NoValue inside !Sub")?;
                out.push_str(&to_text(&value)?);
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn condition(&self, name: &str) -> Result<bool> {
        let node = self.conditions.and_then(|it| it.get(name));
        let node = node.with_context(|| format!("there is no condition {name}"))?;
        self.guarded(name, || self.truth(node))
    }

    fn truth(&self, node: &Yaml) -> Result<bool> {
        let value = self.resolve(node)?.unwrap_or(Value::Null);
        value.as_bool().context("is not true or false")
    }

    fn text(&self, node: &Yaml) -> Result<String> {
        to_text(&self.resolve(node)?.context("AWS::NoValue where text is needed")?)
    }

    fn list(&self, items: &[Yaml]) -> Result<Vec<Value>> {
        items.iter().filter_map(|it| self.resolve(it).transpose()).collect()
    }

    fn strings(&self, items: &[Yaml]) -> Result<Vec<String>> {
        self.list(items)?.iter().map(to_text).collect()
    }

    /// Runs `work`, which resolves what `name` stands for, and refuses to go round in a circle.
    fn guarded<T>(&self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.visiting.borrow().iter().any(|it| it == name) {
            bail!("{name} depends on itself");
        }
        self.visiting.borrow_mut().push(name.to_owned());
        let result = work();
        self.visiting.borrow_mut().pop();
        result
    }
}

/// A top-level section of the template.
pub(super) fn section<'t>(root: &'t Mapping, name: &str) -> Option<&'t Mapping> {
    root.get(name).and_then(Yaml::as_mapping)
}

/// The `Type` of a resource; empty where it has none.
pub(super) fn resource_type(resource: &Yaml) -> &str {
    resource.get("Type").and_then(Yaml::as_str).unwrap_or_default()
}

/// `{"Fn::Sub": …}` and `{"Ref": …}`: the form without tags.
fn long_form(map: &Mapping) -> Option<(&str, &Yaml)> {
    let (key, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    let key = key.as_str()?;
    // `Condition` alone is left out: it is an attribute of resources and of policy statements, too.
    (key == "Ref" || key.starts_with("Fn::")).then_some((key, argument))
}

fn arguments<const N: usize>(node: &Yaml) -> Result<[&Yaml; N]> {
    let items: Vec<&Yaml> = node.as_sequence().context("takes a list")?.iter().collect();
    items.try_into().map_err(|_| anyhow::anyhow!("takes {N} arguments"))
}

fn scalar(node: &Yaml) -> Result<String> {
    Ok(match node {
        Yaml::String(it) => it.clone(),
        Yaml::Bool(it) => it.to_string(),
        Yaml::Number(it) => it.to_string(),
        _ => bail!("is not a scalar"),
    })
}

/// CloudFormation makes text of every scalar where it needs text.
pub(super) fn to_text(value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(it) => it.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => bail!("{value} is not a scalar"),
    })
}
