//! `peerway member …`

use clap::{Subcommand, ValueEnum};
use peerway_billing::{AccountId, Actor, Role, SubjectId};

use super::Workspace;
use super::output::table;

#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// Add a person to an account, or change their role
    Put {
        /// The account's id
        account: AccountId,
        /// Who: the issuer and subject of their tokens, such as https://id.example.com|user-17
        subject: SubjectId,
        /// What they may do
        #[arg(value_enum)]
        role: RoleName,
        /// What people call them
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Take a person off an account
    Remove {
        /// The account's id
        account: AccountId,
        /// Who
        subject: SubjectId,
    },
    /// List the people of an account
    List {
        /// The account's id
        account: AccountId,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
    /// Everything
    Owner,
    /// Usage, the audit log, and who has which keys
    Billing,
    /// Asking models, and the keys
    Developer,
    /// Looking
    Viewer,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Billing => Self::Billing,
            RoleName::Developer => Self::Developer,
            RoleName::Viewer => Self::Viewer,
        }
    }
}

pub(super) async fn run(command: MemberCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let ledger = workspace.existing_ledger().await?;
    let actor = Actor::operator();
    match command {
        MemberCommand::Put { account, subject, role, name } => {
            let member = ledger.put_member(&account, &subject, role.into(), &name, &actor).await?;
            workspace.output.print(&member, |member| format!("{} is {}", member.subject, member.role))
        }
        MemberCommand::Remove { account, subject } => {
            let member = ledger.remove_member(&account, &subject, &actor).await?;
            workspace.output.print(&member, |member| format!("{} is no member any more", member.subject))
        }
        MemberCommand::List { account } => {
            let members = ledger.members(&account).await?;
            workspace.output.print(&members, |members| {
                let rows: Vec<_> = members
                    .iter()
                    .map(|member| {
                        let made = member.created_at.to_string();
                        [member.subject.to_string(), member.role.to_string(), member.name.clone(), made]
                    })
                    .collect();
                table(["SUBJECT", "ROLE", "NAME", "ADDED"], &rows)
            })
        }
    }
}
