use arrow::array::Int64Array;
use serde_json::{Value, json};

use super::*;
use crate::actions::Metadata;

#[test]
fn a_row_that_is_to_be_there_often_is_written_a_few_at_a_time() {
    let schema = json!({"type": "struct", "fields": [{"name": "n", "type": "long", "nullable": true, "metadata": {}}]});
    let metadata = Metadata {
        id: "i".into(),
        name: None,
        description: None,
        schema_string: schema.to_string(),
        partition_columns: Vec::new(),
        configuration: Default::default(),
        created: None,
        raw: Value::Null,
    };
    let mut change = RowChange::new(&metadata.shape().unwrap()).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 9]));
    let rows = change.converter.convert_columns(&[column]).unwrap();
    for (at, net) in [(0, 2_500), (1, -1), (2, 1)] {
        change.net.insert(rows.row(at).data().into(), net);
    }
    let (mut at, mut written) = ((0, 0), Vec::new());
    while let Some((rows, next)) = change.rows_to_write(at).unwrap() {
        written.push(rows.num_rows());
        at = next;
    }
    assert_eq!(written, [ROWS, ROWS, 2_501 - 2 * ROWS]);
}
