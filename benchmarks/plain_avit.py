"""A plain definition of the released AViT: convolutions, every frame decoded, under the released names.

Written from the description in McCabe et al. (2024) and what their released weights imply; slow and short, it is what
tests compare `AViT` with and benchmarks time it against.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Scale(nn.Module):
    """x / std(x) over space, times a weight; a bias that nothing reads."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.std((-2, -1), keepdim=True) + 1e-8) * self.weight[:, None, None]


class Bias(nn.Module):
    """T5's buckets, both ways, up to distance 32, with the released wrap on periodic axes."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.relative_attention_bias = nn.Embedding(32, heads)

    def forward(self, count: int, periodic: bool) -> Tensor:
        table = torch.zeros(count, count, dtype=torch.long)
        half = count // 2
        for query in range(count):
            for key in range(count):
                along = key - query
                if periodic and along < -half:
                    along %= half
                elif periodic and along > half:
                    along %= -half
                away = abs(along)
                bucket = away if away < 8 else min(8 + int(math.log(away / 8) / math.log(4) * 8), 15)
                table[query, key] = bucket + (16 if along > 0 else 0)
        return self.relative_attention_bias(table).permute(2, 0, 1)[None]


class Time(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.InstanceNorm2d(d, affine=True), nn.InstanceNorm2d(d, affine=True)
        self.gamma = nn.Parameter(1e-6 * torch.ones(d))
        self.input_head, self.output_head = nn.Conv2d(d, 3 * d, 1), nn.Conv2d(d, d, 1)
        self.qnorm, self.knorm = nn.LayerNorm(d // heads), nn.LayerNorm(d // heads)
        self.rel_pos_bias = Bias(heads)

    def forward(self, x: Tensor) -> Tensor:  # time x batch x d x h x w
        frames, batch, d, height, width = x.shape
        mixed = self.input_head(self.norm1(x.flatten(0, 1)))
        mixed = mixed.reshape(frames, batch, self.heads, -1, height, width).permute(1, 4, 5, 2, 0, 3)
        q, k, v = mixed.chunk(3, -1)
        taken = functional.scaled_dot_product_attention(
            self.qnorm(q), self.knorm(k), v, attn_mask=self.rel_pos_bias(frames, False)[:, None, None]
        )
        taken = taken.permute(4, 0, 3, 5, 1, 2).reshape(frames * batch, d, height, width)
        written = self.output_head(self.norm2(taken)).reshape(x.shape)
        return x + written * self.gamma[:, None, None]


class Space(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2, self.mlp_norm = Scale(d), Scale(d), Scale(d)
        self.gamma_att, self.gamma_mlp = nn.Parameter(1e-6 * torch.ones(d)), nn.Parameter(1e-6 * torch.ones(d))
        self.input_head, self.output_head = nn.Conv2d(d, 3 * d, 1), nn.Conv2d(d, d, 1)
        self.qnorm, self.knorm = nn.LayerNorm(d // heads), nn.LayerNorm(d // heads)
        self.rel_pos_bias = Bias(heads)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor, periodic: tuple[bool, bool]) -> Tensor:  # batch x d x h x w
        batch, _, height, width = x.shape
        mixed = self.input_head(self.norm1(x)).reshape(batch, self.heads, -1, height, width).permute(0, 1, 3, 4, 2)
        q, k, v = mixed.chunk(3, -1)
        q, k = self.qnorm(q), self.knorm(k)
        along_width = functional.scaled_dot_product_attention(
            *(part.transpose(1, 2) for part in (q, k, v)), attn_mask=self.rel_pos_bias(width, periodic[1])[:, None]
        ).transpose(1, 2)
        along_height = functional.scaled_dot_product_attention(
            *(part.permute(0, 3, 1, 2, 4) for part in (q, k, v)),
            attn_mask=self.rel_pos_bias(height, periodic[0])[:, None],
        ).permute(0, 2, 3, 1, 4)
        mean = ((along_width + along_height) / 2).permute(0, 1, 4, 2, 3).reshape(x.shape)
        x = x + self.output_head(self.norm2(mean)) * self.gamma_att[:, None, None]
        hidden = self.mlp.fc2(functional.gelu(self.mlp.fc1(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)
        return x + self.gamma_mlp[:, None, None] * self.mlp_norm(hidden)


class PlainAViT(nn.Module):
    """The model for patches of 16, 8 or 4 cells.

    Arguments:
        fields: size of the vocabulary.
        d, heads, blocks, patch: sizes.
    """

    def __init__(self, fields: int, d: int, heads: int, blocks: int, patch: int = 16) -> None:
        super().__init__()
        strides = {16: (4, 2, 2), 8: (4, 2), 4: (4,)}[patch]
        quarter = d // 4
        self.space_bag = nn.Linear(fields, quarter)
        stem: list[nn.Module] = []
        for stage, stride in enumerate(strides):
            width = d if stage == len(strides) - 1 else quarter
            stem += [nn.Conv2d(quarter, width, stride, stride, bias=False), Scale(width), nn.GELU()]
        self.embed = nn.Module()
        self.embed.in_proj = nn.Sequential(*stem[:-1])
        self.blocks = nn.ModuleList()
        for _ in range(blocks):
            block = nn.Module()
            block.temporal, block.spatial = Time(d, heads), Space(d, heads)
            self.blocks.append(block)
        out: list[nn.Module] = []
        for stage, stride in enumerate(strides[:0:-1]):
            width = d if stage == 0 else quarter
            out += [nn.ConvTranspose2d(width, quarter, stride, stride, bias=False), Scale(quarter), nn.GELU()]
        self.debed = nn.Module()
        self.debed.out_proj = nn.Sequential(*out)
        last = nn.ConvTranspose2d(quarter if len(strides) > 1 else d, fields, 4, 4)
        self.debed.out_kernel, self.debed.out_bias = last.weight, last.bias

    def forward(self, x: Tensor, labels: list[int], periodic: tuple[bool, bool]) -> Tensor:
        """The next frame of windows of time x batch x fields x height x width."""
        with torch.no_grad():
            std, mean = torch.std_mean(x, (0, -2, -1), keepdim=True)
            std = std + 1e-7
        y = ((x - mean) / std).permute(0, 1, 3, 4, 2)
        factor = (self.space_bag.in_features / len(labels)) ** 0.5
        y = factor * functional.linear(y, self.space_bag.weight[:, labels], self.space_bag.bias)
        y = self.embed.in_proj(y.permute(0, 1, 4, 2, 3).flatten(0, 1)).unflatten(0, x.shape[:2])
        for block in self.blocks:
            y = block.temporal(y)
            y = block.spatial(y.flatten(0, 1), periodic).unflatten(0, x.shape[:2])
        y = self.debed.out_proj(y.flatten(0, 1))
        y = functional.conv_transpose2d(y, self.debed.out_kernel[:, labels], self.debed.out_bias[labels], stride=4)
        return (y.unflatten(0, x.shape[:2]) * std + mean)[-1]
