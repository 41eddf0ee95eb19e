//! Views per second of the SimCLR set on 32×32 colour images; `scripts/bench_views.py` compares
//! them with torchvision's.
//!
//!     cargo bench -p afterimage-data --bench views -- [THREADS] [SECONDS] [plain|blur]
//!
//! prints one line: views per second.

#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::print_stdout, reason = "the line is the result")]

use std::sync::Arc;
use std::time::Instant;

use afterimage_data::{
    Blur, DataSet, ImageSet, Prefetcher, Preset, Shape, ViewConfig, ViewSource, Views, batches,
    order,
};
use afterimage_hooks::Split;

fn images(count: u32) -> Result<ImageSet, String> {
    let shape = Shape {
        channels: 3,
        height: 32,
        width: 32,
    };
    let noise = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    let pixels = (0..count * shape.len() as u32).map(noise).collect();
    ImageSet::new(
        pixels,
        vec![0; count as usize],
        vec!["noise".to_owned()],
        shape,
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let argument =
        |at: usize, default: &str| arguments.get(at).map_or(default.to_owned(), Clone::clone);
    let threads: usize = argument(0, "2").parse()?;
    let seconds: f64 = argument(1, "2").parse()?;
    let mut config = ViewConfig::preset(Preset::Normal);
    if argument(2, "plain") == "blur" {
        config.blur = Some(Blur {
            kernel: 3,
            sigma: [0.1, 2.0],
            p: 0.5,
        });
    }
    const COUNT: usize = 5000;
    let data = Arc::new(DataSet {
        train: images(COUNT as u32)?,
        held_out: images(1)?,
    });
    let views = Views::new(&config, data.train.shape(), 1)?;
    let source = Arc::new(ViewSource::new(data, Split::Train, views));
    let (mut rendered, mut epoch) = (0usize, 0);
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        epoch += 1;
        let plan = batches(&order(1, epoch, COUNT), 250, true);
        for batch in Prefetcher::start(Arc::clone(&source), plan, 0, epoch, 2, 4, threads)? {
            rendered += batch?.shape[0];
        }
    }
    println!("{:.0}", rendered as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
