//! Arrays, made byte by byte: chunks and shards, keys of every kind, both versions.

use hama_hdfs::Extent;

pub(super) type Files = Vec<(String, Vec<u8>)>;

pub(super) const SHAPE: Extent = Extent { rows: 110, cols: 1300 };
pub(super) const FILL: f64 = -7.0;

pub(super) fn element(row: u64, col: u64) -> f64 {
    (row * 10_000 + col) as f64
}

/// How an array is cut and named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) name: &'static str,
    pub(super) chunk: Extent,
    /// Of shards, what is in them.
    pub(super) inner: Option<Extent>,
    separator: char,
    codecs: &'static str,
    version: u32,
}

const BYTES: &str = r#"{"name":"bytes","configuration":{"endian":"little"}}"#;
const CHECKED: &str = r#"{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}"#;

pub(super) const CUTS: [Cut; 6] = [
    Cut {
        name: "plain",
        chunk: Extent { rows: 30, cols: 400 },
        inner: None,
        separator: '/',
        codecs: BYTES,
        version: 3,
    },
    Cut {
        name: "dots",
        chunk: Extent { rows: 110, cols: 200 },
        inner: None,
        separator: '.',
        codecs: BYTES,
        version: 3,
    },
    // Rows of a chunk lie so far apart that they are read one by one.
    Cut {
        name: "wide",
        chunk: Extent { rows: 40, cols: 50_000 },
        inner: None,
        separator: '/',
        codecs: BYTES,
        version: 3,
    },
    Cut {
        name: "checked",
        chunk: Extent { rows: 30, cols: 400 },
        inner: None,
        separator: '/',
        codecs: CHECKED,
        version: 3,
    },
    Cut {
        name: "sharded",
        chunk: Extent { rows: 60, cols: 800 },
        inner: Some(Extent { rows: 10, cols: 200 }),
        separator: '/',
        codecs: BYTES,
        version: 3,
    },
    Cut {
        name: "two",
        chunk: Extent { rows: 25, cols: 500 },
        inner: None,
        separator: '.',
        codecs: "",
        version: 2,
    },
];

impl Cut {
    pub(super) fn metadata(&self) -> (String, Vec<u8>) {
        let Cut { chunk, separator, codecs, .. } = self;
        let shape = format!("[{},{}]", SHAPE.rows, SHAPE.cols);
        let list = |extent: &Extent| format!("[{},{}]", extent.rows, extent.cols);
        if self.version == 2 {
            let json = format!(
                r#"{{"zarr_format":2,"shape":{shape},"chunks":{},"dtype":"<f8","compressor":null,"fill_value":{FILL},
                    "order":"C","filters":null,"dimension_separator":"{separator}"}}"#,
                list(chunk)
            );
            return (".zarray".into(), json.into());
        }
        let codecs = match &self.inner {
            Some(inner) => format!(
                r#"{{"name":"sharding_indexed","configuration":{{"chunk_shape":{},"codecs":[{codecs}],
                    "index_codecs":[{CHECKED}],"index_location":"end"}}}}"#,
                list(inner)
            ),
            None => (*codecs).to_owned(),
        };
        let json = format!(
            r#"{{"zarr_format":3,"node_type":"array","shape":{shape},"data_type":"float64","fill_value":{FILL},
                "chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":{}}}}},
                "chunk_key_encoding":{{"name":"default","configuration":{{"separator":"{separator}"}}}},
                "codecs":[{codecs}]}}"#,
            list(chunk)
        );
        ("zarr.json".into(), json.into())
    }

    pub(super) fn key(&self, row: u64, col: u64) -> String {
        let s = self.separator;
        if self.version == 2 { format!("{row}{s}{col}") } else { format!("c{s}{row}{s}{col}") }
    }

    /// Numbers of a chunk, those outside of the matrix too.
    fn numbers(&self, from: (u64, u64), extent: Extent) -> Vec<u8> {
        let rows = from.0..from.0 + extent.rows;
        let mut bytes: Vec<u8> = rows
            .flat_map(|row| {
                (from.1..from.1 + extent.cols).flat_map(move |col| element(row, col).to_le_bytes())
            })
            .collect();
        if self.codecs == CHECKED {
            bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        }
        bytes
    }

    fn shard(&self, (row, col): (u64, u64), inner: Extent) -> Vec<u8> {
        let (mut bytes, mut index) = (Vec::new(), Vec::new());
        for down in (0..self.chunk.rows).step_by(inner.rows as usize) {
            for across in (0..self.chunk.cols).step_by(inner.cols as usize) {
                let numbers = self.numbers((row + down, col + across), inner);
                index.extend((bytes.len() as u64).to_le_bytes());
                index.extend((numbers.len() as u64).to_le_bytes());
                bytes.extend(numbers);
            }
        }
        index.extend(crc32c::crc32c(&index).to_le_bytes());
        bytes.extend(index);
        bytes
    }

    /// All files of the array.
    pub(super) fn files(&self) -> Files {
        let mut files = vec![self.metadata()];
        let grid = SHAPE.div_ceil(self.chunk);
        for (row, col) in (0..grid.rows).flat_map(|row| (0..grid.cols).map(move |col| (row, col))) {
            let from = (row * self.chunk.rows, col * self.chunk.cols);
            let bytes = match self.inner {
                Some(inner) => self.shard(from, inner),
                None => self.numbers(from, self.chunk),
            };
            files.push((self.key(row, col), bytes));
        }
        files
    }
}
