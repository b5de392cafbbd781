//! `template.yaml` as the local cloud reads it: which functions there are, what calls them, what
//! they may do, and which tables they use. The file that is deployed is the file that is tested.

mod events;
mod queue;
mod resolve;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use yaml_serde::{Mapping, Value as Yaml};

use self::resolve::{Resolver, resource_type, section, to_text};
pub use self::{
    events::{ConfigurationSets, EventRule},
    queue::{DeadLetters, Queue, QueueSource, queue_arn, queue_url},
};
use crate::{
    access::{Condition, Permission},
    gateway::Route,
    schedules::Schedule,
};

/// The template with its parameters filled in.
#[derive(Clone, Debug)]
pub struct Template {
    /// Every `AWS::Serverless::Function`, in the order of the file.
    pub functions: Vec<Function>,
    /// Every `AWS::DynamoDB::Table`, in the order of the file.
    pub tables: Vec<Table>,
    /// Names of every `AWS::S3::Bucket`.
    pub buckets: Vec<String>,
    /// Every `AWS::SQS::Queue`, in the order of the file.
    pub queues: Vec<Queue>,
    /// Every `AWS::Events::Rule`, in the order of the file.
    pub rules: Vec<EventRule>,
    /// Every `AWS::SES::ConfigurationSet`.
    pub configuration_sets: ConfigurationSets,
    /// Every resource, resolved; by logical id.
    pub resources: BTreeMap<String, Resource>,
}

/// Any resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// For example `AWS::Logs::LogGroup`.
    pub kind: String,
    /// Its properties with every intrinsic function resolved.
    pub properties: Value,
    /// `DeletionPolicy` and its like: what stands beside the properties, resolved.
    pub attributes: Value,
}

/// One Lambda function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its logical id, for example `GetVideoFunction`.
    pub id: String,
    /// Name of the cargo binary that is built for it.
    pub binary: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Memory in MB. Told to the function; not enforced locally.
    pub memory_mb: u32,
    /// Environment variables, those of `Globals` included.
    pub environment: BTreeMap<String, String>,
    /// Its routes at the gateway.
    pub routes: Vec<Route>,
    /// What runs it regularly.
    pub schedules: Vec<Schedule>,
    /// What it is fed from.
    pub queues: Vec<QueueSource>,
    /// What its policy allows.
    pub permissions: Vec<Permission>,
}

/// One DynamoDB table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its logical id, for example `ApiLogsTable`.
    pub id: String,
    /// Its physical name, for example `local-api-logs`.
    pub name: String,
    /// Input of DynamoDB's `CreateTable`.
    pub create: Value,
    /// The attribute that native expiry looks at.
    pub ttl_attribute: Option<String>,
    /// Whether it can be restored to a point in time.
    pub has_backups: bool,
}

impl Template {
    /// Reads the template at `path`. `parameters` replace the defaults; `stack` is the stack's name.
    pub fn read(path: &Path, stack: &str, parameters: &BTreeMap<String, String>) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text, stack, parameters)
            .with_context(|| format!("{} cannot be used", path.display()))
    }

    /// As [`Template::read`], from the text itself.
    pub fn parse(text: &str, stack: &str, parameters: &BTreeMap<String, String>) -> Result<Self> {
        let root: Yaml = yaml_serde::from_str(text)?;
        let root = root.as_mapping().context("not a mapping")?;
        let resolver = Resolver::new(stack, root, parameters)?;
        let globals = match section(root, "Globals").and_then(|it| it.get("Function")) {
            Some(node) => resolver.resolve(node).context("in Globals")?.unwrap_or(Value::Null),
            None => Value::Null,
        };
        let mut template = Self {
            functions: Vec::new(),
            tables: Vec::new(),
            buckets: Vec::new(),
            queues: Vec::new(),
            rules: Vec::new(),
            configuration_sets: BTreeMap::new(),
            resources: BTreeMap::new(),
        };
        for (id, node) in section(root, "Resources").into_iter().flatten() {
            let id = id.as_str().context("a resource's name is not a string")?;
            let found =
                if resolver.is_wanted(node)? { resource(&resolver, node) } else { continue };
            let found = found.with_context(|| format!("in {id}"))?;
            match found.kind.as_str() {
                "AWS::Serverless::Function" => {
                    let function = Function::from_resource(id, &found, &globals);
                    template.functions.push(function.with_context(|| format!("in {id}"))?);
                }
                "AWS::S3::Bucket" => template.buckets.push(resolver.physical_id(id)?),
                "AWS::SQS::Queue" => {
                    let name = resolver.physical_id(id)?;
                    let queue = Queue::from_resource(id, name, &found.properties);
                    template.queues.push(queue.with_context(|| format!("in {id}"))?);
                }
                "AWS::Events::Rule" => {
                    let name = resolver.physical_id(id)?;
                    let rule = EventRule::from_resource(name, &found.properties);
                    template.rules.push(rule.with_context(|| format!("in {id}"))?);
                }
                "AWS::SES::ConfigurationSet" => {
                    template.configuration_sets.entry(resolver.physical_id(id)?).or_default();
                }
                "AWS::SES::ConfigurationSetEventDestination" => {
                    events::add_destination(&mut template.configuration_sets, &found.properties)
                        .with_context(|| format!("in {id}"))?;
                }
                "AWS::DynamoDB::Table" => {
                    let name = resolver.physical_id(id)?;
                    template.tables.push(Table::from_resource(id, name, &found.properties));
                }
                _ => {}
            }
            template.resources.insert(id.to_owned(), found);
        }
        queue::check(&template)?;
        events::check(&template)?;
        Ok(template)
    }

    /// The function of this logical id.
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.functions.iter().find(|it| it.id == id)
    }

    /// Logical ids and resources of one kind, for example `AWS::Logs::LogGroup`.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Resource)> {
        self.resources.iter().filter(move |it| it.1.kind == kind).map(|it| (it.0.as_str(), it.1))
    }
}

fn resource(resolver: &Resolver<'_>, node: &Yaml) -> Result<Resource> {
    let properties = match node.get("Properties") {
        Some(properties) => resolver.resolve(properties)?.unwrap_or(Value::Null),
        None => Value::Null,
    };
    let beside: Mapping = node
        .as_mapping()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !matches!(key.as_str(), Some("Properties" | "Type")))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Ok(Resource {
        kind: resource_type(node).to_owned(),
        properties,
        attributes: resolver.resolve(&Yaml::Mapping(beside))?.unwrap_or(Value::Null),
    })
}

impl Function {
    fn from_resource(id: &str, resource: &Resource, globals: &Value) -> Result<Self> {
        let properties = &resource.properties;
        // A function's own setting wins over that of `Globals`.
        let setting = |name: &str| properties.get(name).or_else(|| globals.get(name));
        let number = |name: &str, default: u64| match setting(name) {
            Some(value) => value.as_u64().with_context(|| format!("{name} is not a number")),
            None => Ok(default),
        };
        let mut environment = BTreeMap::new();
        for source in [globals, properties] {
            let variables = source.pointer("/Environment/Variables").and_then(Value::as_object);
            for (name, value) in variables.into_iter().flatten() {
                let value = to_text(value).with_context(|| format!("in {name}"))?;
                environment.insert(name.clone(), value);
            }
        }
        let binary = resource.attributes.pointer("/Metadata/BuildProperties/Binary");
        let binary = binary.and_then(Value::as_str).context("Metadata names no Binary")?;
        let mut function = Self {
            id: id.to_owned(),
            binary: binary.to_owned(),
            // The defaults of Lambda itself.
            timeout: Duration::from_secs(number("Timeout", 3)?),
            memory_mb: number("MemorySize", 128)?.try_into().context("MemorySize")?,
            environment,
            routes: Vec::new(),
            schedules: Vec::new(),
            queues: Vec::new(),
            permissions: Vec::new(),
        };
        for (name, event) in
            properties.get("Events").and_then(Value::as_object).into_iter().flatten()
        {
            function.add_event(name, event).with_context(|| format!("in event {name}"))?;
        }
        match properties.get("Policies") {
            None => {}
            Some(Value::Array(policies)) => {
                policies.iter().try_for_each(|it| function.add_policy(it))?;
            }
            Some(policy) => function.add_policy(policy)?,
        }
        Ok(function)
    }

    fn add_event(&mut self, name: &str, event: &Value) -> Result<()> {
        let text = |field: &str| {
            let value = event.pointer(&format!("/Properties/{field}")).and_then(Value::as_str);
            value.with_context(|| format!("{field} is missing"))
        };
        match event.get("Type").and_then(Value::as_str) {
            // Without both it is the API's default route.
            Some("HttpApi") if text("Method").is_err() && text("Path").is_err() => {
                self.routes.push(Route::default_of(&self.id));
            }
            Some("HttpApi") => {
                self.routes.push(Route::new(&self.id, text("Method")?, text("Path")?)?);
            }
            Some("Schedule") => {
                let rule = format!("{}{name}", self.id);
                self.schedules.push(Schedule::parse(&self.id, &rule, text("Schedule")?)?);
            }
            // The permissions that SAM adds for it are its poller's: the function's code needs none.
            Some("SQS") => self.queues.push(QueueSource::from_event(&self.id, event)?),
            other => bail!("events of type {other:?} are not supported by the local cloud"),
        }
        Ok(())
    }

    fn add_policy(&mut self, policy: &Value) -> Result<()> {
        let statements = policy
            .get("Statement")
            .context("only policies with statements of their own are supported")?;
        for statement in one_or_many(statements) {
            let effect = statement.get("Effect").and_then(Value::as_str);
            ensure!(effect == Some("Allow"), "only statements that allow are supported");
            let field = |name: &str| {
                statement.get(name).with_context(|| format!("a statement names no {name}"))
            };
            let conditions = match statement.get("Condition") {
                Some(node) => Condition::all(node)?,
                None => Vec::new(),
            };
            for action in one_or_many(field("Action")?) {
                for resource in one_or_many(field("Resource")?) {
                    self.permissions.push(Permission {
                        action: to_text(action)?,
                        resource: to_text(resource)?,
                        conditions: conditions.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Table {
    fn from_resource(id: &str, name: String, properties: &Value) -> Self {
        let mut create = json!({ "TableName": name, "BillingMode": "PAY_PER_REQUEST" });
        for field in [
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "BillingMode",
            "ProvisionedThroughput",
        ] {
            if let Some(value) = properties.get(field) {
                create[field] = value.clone();
            }
        }
        let ttl = properties.pointer("/TimeToLiveSpecification/AttributeName");
        let enabled = properties.pointer("/TimeToLiveSpecification/Enabled") == Some(&true.into());
        Self {
            id: id.to_owned(),
            name,
            create,
            has_backups: properties
                .pointer("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled")
                == Some(&true.into()),
            ttl_attribute: ttl.filter(|_| enabled).and_then(Value::as_str).map(str::to_owned),
        }
    }
}

fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}
