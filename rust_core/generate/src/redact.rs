//! Messages with fields marked `debug_redact` get a `Debug` that shows none of their fields.

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

/// A type whose derived `Debug` would print a secret.
pub(crate) struct Redacted {
    /// Its protobuf package.
    pub(crate) package: String,
    /// Its protobuf path with a leading dot.
    path: String,
    /// Its path in Rust, inside the package's module.
    rust: String,
}

impl Redacted {
    /// The path that prost-build matches.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The `Debug` in the place of the derived one.
    pub(crate) fn debug(&self) -> String {
        let Self { rust, .. } = self;
        let name = rust.rsplit("::").next().unwrap_or(rust);
        format!(
            "impl ::core::fmt::Debug for {rust} {{\n    \
             fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        \
             f.debug_struct(\"{name}\").finish_non_exhaustive()\n    }}\n}}\n"
        )
    }
}

/// All such types of Argus' own packages: the messages and, where the field is in one, its oneof.
pub(crate) fn redacted(pool: &DescriptorPool) -> Result<Vec<Redacted>, String> {
    let mut found = Vec::new();
    let own = |message: &MessageDescriptor| message.package_name().starts_with("argus.");
    for message in pool.all_messages().filter(own) {
        let secrets: Vec<FieldDescriptor> = message.fields().filter(is_redacted).collect();
        if secrets.is_empty() {
            continue;
        }
        if message.parent_message().is_some() {
            return Err(format!(
                "{}: a nested message with a secret is not provided for",
                message.full_name()
            ));
        }
        let package = message.package_name().to_owned();
        found.push(Redacted {
            package: package.clone(),
            path: format!(".{}", message.full_name()),
            rust: message.name().to_owned(),
        });
        let mut oneofs: Vec<String> = secrets
            .iter()
            .filter_map(FieldDescriptor::containing_oneof)
            .map(|oneof| oneof.name().to_owned())
            .collect();
        oneofs.dedup();
        found.extend(oneofs.iter().map(|oneof| Redacted {
            package: package.clone(),
            path: format!(".{}.{oneof}", message.full_name()),
            rust: format!("{}::{}", snake(message.name()), camel(oneof)),
        }));
    }
    Ok(found)
}

fn is_redacted(field: &FieldDescriptor) -> bool {
    field
        .options()
        .get_field_by_name("debug_redact")
        .and_then(|value| value.as_bool())
        .unwrap_or(false)
}

/// `ClientContext` → `client_context`.
pub(crate) fn snake(name: &str) -> String {
    let mut text = String::new();
    for (position, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && position > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// `login_kind` → `LoginKind`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        })
        .collect()
}
