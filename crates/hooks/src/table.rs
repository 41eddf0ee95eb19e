//! The calls that each event leads to.

use std::any::Any;

use crate::clock::Every;
use crate::event::{Event, Handler};
use crate::fault::Fault;
use crate::plugin::Plugin;

type Call<E> =
    Box<dyn for<'c, 'a> Fn(&mut dyn Any, &'c mut <E as Event>::Cx<'a>) -> Result<(), Fault> + Send>;

/// One subscription: cadence and call.
#[doc(hidden)]
pub struct Entry<E: Event> {
    pub(crate) slot: usize,
    pub(crate) every: Every,
    pub(crate) call: Call<E>,
}

impl<E: Event> Entry<E> {
    pub(crate) fn new<P: Plugin>(every: Every, handler: Handler<P, E>) -> Self {
        let call: Call<E> = Box::new(move |plugin, cx| match plugin.downcast_mut::<P>() {
            Some(plugin) => handler(plugin, cx),
            None => Err(Fault::new(
                "a handler was registered for another plugin's type",
            )),
        });
        Self {
            slot: 0,
            every,
            call,
        }
    }
}

/// The subscriptions of one event, in the order of dispatch.
pub type Table<E> = Vec<Entry<E>>;
