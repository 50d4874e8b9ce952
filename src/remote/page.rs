//! The lists that come in pages.

use serde::de::DeserializeOwned;

use crate::http::{
    AccessView, AccessesView, AdminGroupsView, AdminUserView, AdminUsersView, DueRemovalView, DueRemovalsView,
    GrantView, GrantsView, ListedGroupView, MemberView, MembersView, RoleView, RolesView, StatedEntitlementView,
    StatedEntitlementsView, TokenView, TokensView, UserMembershipView, UserMembershipsView,
};

/// A page of a list.
pub trait Page: DeserializeOwned {
    type Row;
    /// The parameter that names where the next page begins.
    const BEHIND: &'static str;

    /// The rows, and what the next page is asked for with; none on the last.
    fn parts(self) -> (Vec<Self::Row>, Option<String>);
}

macro_rules! pages {
    ($($page:ty { $rows:ident: $row:ty } by $behind:literal;)+) => { $(
        impl Page for $page {
            type Row = $row;
            const BEHIND: &'static str = $behind;

            fn parts(self) -> (Vec<$row>, Option<String>) {
                (self.$rows, self.next)
            }
        }
    )+ };
}

pages! {
    AdminGroupsView { groups: ListedGroupView } by "after";
    MembersView { members: MemberView } by "after";
    GrantsView { grants: GrantView } by "after";
    AdminUsersView { users: AdminUserView } by "after";
    RolesView { roles: RoleView } by "after";
    TokensView { tokens: TokenView } by "before";
    AccessesView { accesses: AccessView } by "before";
    UserMembershipsView { memberships: UserMembershipView } by "after";
    StatedEntitlementsView { entitlements: StatedEntitlementView } by "after";
    DueRemovalsView { removals: DueRemovalView } by "after";
}
