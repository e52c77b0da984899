-- What blocks refer to is read at every start: found without looking at those that refer to nothing.
CREATE INDEX blocks_with_content ON blocks (height) WHERE content_refs <> '[]';
