//! The same networks by burn's own operations.

use afterimage_model::{ConvBlock, ResNet, ResNet9, TokenBlock, TokenNorm, Vit};
use burn::tensor::module::{layer_norm, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{
    Tensor,
    activation::{gelu, relu, softmax},
    s,
};

fn block(block: &ConvBlock, x: Tensor<4>) -> Tensor<4> {
    let mut x = block.norm.forward(block.conv.forward(x));
    if block.rectified {
        x = relu(x);
    }
    match &block.pool {
        Some(pool) => pool.forward(x),
        None => x,
    }
}

pub(crate) fn resnet9(model: &ResNet9, images: Tensor<4>) -> Tensor<2> {
    let a = block(&model.layer1, block(&model.prep, images));
    let x = block(&model.res1b, block(&model.res1a, a.clone())) + a;
    let b = block(&model.layer3, block(&model.layer2, x));
    let x = block(&model.res2b, block(&model.res2a, b.clone())) + b;
    let [rows, units, height, width] = x.dims();
    max_pool2d(x, MaxPoolOptions::new([height, width])).reshape([rows, units])
}

pub(crate) fn resnet(model: &ResNet, images: Tensor<4>) -> Tensor<2> {
    let x = model
        .blocks()
        .fold(block(&model.stem, images), |x, residual| {
            let skip = match &residual.shortcut {
                Some(shortcut) => block(shortcut, x.clone()),
                None => x.clone(),
            };
            let branch = residual.branch.iter().fold(x, |x, conv| block(conv, x));
            relu(branch + skip)
        });
    let [rows, units, height, width] = x.dims();
    x.reshape([rows, units, height * width])
        .mean_dim(2)
        .reshape([rows, units])
}

fn norm(norm: &TokenNorm, x: Tensor<3>) -> Tensor<3> {
    layer_norm(x, norm.gamma.val(), Some(norm.beta.val()), 1e-6)
}

fn token_block(block: &TokenBlock, x: Tensor<3>) -> Tensor<3> {
    let [batch, tokens, channels] = x.dims();
    let size = channels / block.heads();
    let parts = block
        .qkv
        .forward(norm(&block.norm1, x.clone()))
        .reshape([batch, tokens, 3, block.heads(), size])
        .permute([2, 0, 3, 1, 4]);
    let part = |index: usize| {
        let part = parts.clone().narrow(0, index, 1);
        part.reshape([batch, block.heads(), tokens, size])
    };
    let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (size as f64).sqrt();
    let heads = softmax(scores, 3)
        .matmul(part(2))
        .swap_dims(1, 2)
        .reshape([batch, tokens, channels]);
    let x = x + block.output.forward(heads);
    let hidden = gelu(block.fc1.forward(norm(&block.norm2, x.clone())));
    x + block.fc2.forward(hidden)
}

pub(crate) fn vit(model: &Vit, images: Tensor<4>) -> Tensor<2> {
    let map = model.patch.forward(images);
    let [batch, channels, height, width] = map.dims();
    let patches = map
        .reshape([batch, channels, height * width])
        .swap_dims(1, 2);
    let class = model.class.val().expand([batch, 1, channels]);
    let x = Tensor::cat(vec![class, patches], 1) + model.position.val();
    let x = model
        .blocks
        .iter()
        .fold(x, |x, block| token_block(block, x));
    norm(&model.norm, x)
        .slice(s![.., 0..1])
        .reshape([batch, channels])
}
