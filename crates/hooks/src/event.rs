//! The events of the loop, in the order in which they happen.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::context::*;
use crate::fault::Fault;
use crate::scope::Scope;
use crate::table::{Entry, Table};

/// A method of plugin `P` that takes event `E`.
pub type Handler<P, E> = for<'c, 'a> fn(&mut P, &'c mut <E as Event>::Cx<'a>) -> Result<(), Fault>;

/// An event of the loop; its context type says what a plugin may read and write.
pub trait Event: Sized + 'static {
    /// What a handler gets.
    type Cx<'a>;
    /// The event without its types.
    const KIND: EventKind;
    /// The handlers of this event.
    #[doc(hidden)]
    fn table(tables: &Tables) -> &Table<Self>;
    /// The handlers of this event.
    #[doc(hidden)]
    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;
    /// What every context has.
    #[doc(hidden)]
    fn scope<'c, 'a>(cx: &'c mut Self::Cx<'a>) -> &'c mut Scope<'a>;
}

macro_rules! events {
    ($($(#[$doc:meta])* $event:ident, $cx:ident, $field:ident;)*) => {
        /// The name of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind { $($(#[$doc])* $event,)* }

        impl EventKind {
            /// Every event in the order in which they happen.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$event,)*];
        }

        impl fmt::Display for EventKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(EventKind::$event => stringify!($event),)* })
            }
        }

        /// The subscriptions of every event.
        #[doc(hidden)]
        #[derive(Default)]
        pub struct Tables { $(pub(crate) $field: Table<$event>,)* }

        impl Tables {
            /// Adds those of the plugin in `slot`.
            pub(crate) fn append(&mut self, slot: usize, other: Tables) {
                $(self.$field.extend(other.$field.into_iter().map(|entry| Entry { slot, ..entry }));)*
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $event;

            impl Event for $event {
                type Cx<'a> = $cx<'a>;
                const KIND: EventKind = EventKind::$event;
                fn table(tables: &Tables) -> &Table<Self> { &tables.$field }
                fn table_mut(tables: &mut Tables) -> &mut Table<Self> { &mut tables.$field }
                fn scope<'c, 'a>(cx: &'c mut Self::Cx<'a>) -> &'c mut Scope<'a> { &mut cx.scope }
            }

            impl<'a> std::ops::Deref for $cx<'a> {
                type Target = Scope<'a>;
                fn deref(&self) -> &Scope<'a> { &self.scope }
            }

            impl<'a> std::ops::DerefMut for $cx<'a> {
                fn deref_mut(&mut self) -> &mut Scope<'a> { &mut self.scope }
            }
        )*
    };
}

events! {
    /// Once, before the first step; not again after a resume.
    RunStart, RunStartCx, run_start;
    /// Before the first batch of an epoch.
    EpochStart, EpochStartCx, epoch_start;
    /// The samples of a batch are chosen; nothing is rendered yet.
    BatchPlanned, BatchPlannedCx, batch_planned;
    /// The views of a batch are rendered.
    BatchReady, BatchReadyCx, batch_ready;
    /// The forward pass is done.
    ForwardDone, ForwardDoneCx, forward_done;
    /// The loss is computed, the backward pass is not.
    LossReady, LossReadyCx, loss_ready;
    /// The backward pass is done, the parameters are not updated.
    GradReady, GradReadyCx, grad_ready;
    /// The parameters are updated.
    StepDone, StepDoneCx, step_done;
    /// An evaluation is done.
    EvalDone, EvalDoneCx, eval_done;
    /// All batches of an epoch are done.
    EpochEnd, EpochEndCx, epoch_end;
    /// The run is over.
    RunEnd, RunEndCx, run_end;
}

impl EventKind {
    /// Whether the event happens inside a training step, where taps can be on.
    pub fn in_step(self) -> bool {
        (EventKind::BatchPlanned..=EventKind::StepDone).contains(&self)
    }
}
