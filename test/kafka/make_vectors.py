"""Writes requests.json: a request of each version of each message, as kio (PyPI, 0.6.5) encodes it. `check` decodes our answers.

    python3 make_vectors.py write > requests.json
    node ../../dist/test/kafka/answers.js | python3 make_vectors.py check
"""
import dataclasses, importlib, io, json, pkgutil, sys, types, typing, uuid
from kio.schema.index import api_key_map
from kio.serial import entity_writer, entity_reader

KEYS = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 32, 33, 34, 35, 36, 37, 42,
        43, 44, 45, 46, 47, 60, 61, 66, 68, 75]
TOPIC_NAMES = {'topic', 'topic_name', 'topic_names'}
TOPIC_STRUCTS = {'topics', 'topic_data', 'topic_partitions', 'v3_and_below_topics', 'topic_names'}


class Filler:
    """Fills an entity with values that are told apart, and notes what it names."""

    def __init__(self, key):
        self.key, self.topics, self.ids, self.partitions, self.count = key, [], [], [], 0

    def topic(self):
        name = ['alpha', 'beta.2', 'gamma_3'][len(self.topics) % 3]
        self.topics.append(name)
        return name

    def topic_id(self):
        value = uuid.UUID(int=0x11112222333344445555666677778888 + len(self.ids))
        self.ids.append(value.hex)
        return value

    def number(self, bits):
        self.count += 1
        return self.count % (100 if bits == 8 else 1000)

    def value(self, kind, field, owner):
        if kind == 'string':
            is_topic = (field in TOPIC_NAMES and owner != 'cursor') or (field == 'name' and owner in TOPIC_STRUCTS)
            if field == 'resource_name' or (is_topic and owner != 'forgotten_topics_data'):
                return self.topic()
            return f'text-{self.number(32)}'
        if kind == 'uuid':
            return uuid.UUID(int=7) if owner == 'forgotten_topics_data' else self.topic_id()
        if kind == 'bytes':
            return b'bytes' * 30
        if kind == 'bool':
            return True
        if kind == 'int8':
            return 2 if field == 'resource_type' else self.number(8)
        return self.number(32)

    def fill(self, cls, owner=''):
        hints = typing.get_type_hints(cls)
        values = {}
        for field in dataclasses.fields(cls):
            if 'tag' in field.metadata:
                continue
            values[field.name] = self.member(field, hints[field.name], owner)
        return cls(**values)

    def member(self, field, hint, owner):
        args, origin = typing.get_args(hint), typing.get_origin(hint)
        if origin in (types.UnionType, typing.Union):
            hint = [a for a in args if a is not type(None)][0]
            args, origin = typing.get_args(hint), typing.get_origin(hint)
        kind = field.metadata.get('kafka_type')
        if origin is tuple:
            element = args[0]
            isnames = field.name in TOPIC_STRUCTS and kind == 'string'
            if kind:
                items = [self.topic() if isnames else self.convert(element, kind, field.name, owner) for _ in range(2)]
                if kind == 'int32' and 'partition' in field.name and owner != 'forgotten_topics_data':
                    self.partitions += items
                return tuple(items)
            return tuple(self.fill(element, field.name) for _ in range(2))
        if kind is None:
            return self.fill(hint, field.name)
        value = self.convert(hint, kind, field.name, owner)
        if field.name in ('partition', 'partition_index', 'index') and owner in ('partitions', 'partition_data'):
            self.partitions.append(value)
        return value

    def convert(self, hint, kind, field, owner):
        import datetime
        if kind in ('timedelta_i32', 'timedelta_i64'):
            return hint.parse(datetime.timedelta(milliseconds=self.number(32)))
        if kind == 'records':
            return None if self.key != 0 else b'records' * 40
        value = self.value(kind, field, owner)
        return value if kind in ('bytes', 'uuid', 'bool') else hint(value)


def entity(key, version, kind):
    module = importlib.import_module(f'kio.schema.{api_key_map[key]}.v{version}.{kind}')
    for cls in vars(module).values():
        if isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__module__ == module.__name__:
            if cls.__type__.name == kind:
                return cls
    raise LookupError(module)


def versions(key):
    package = importlib.import_module('kio.schema.' + api_key_map[key])
    return sorted(int(m.name[1:]) for m in pkgutil.iter_modules(package.__path__) if m.name[0] == 'v')


def write():
    out = []
    for key in KEYS:
        for version in versions(key):
            cls = entity(key, version, 'request')
            filler = Filler(key)
            body = filler.fill(cls)
            header = cls.__header_schema__
            names = {f.name for f in dataclasses.fields(header)}
            fields = dict(request_api_key=key, request_api_version=version, correlation_id=0x01020304)
            if 'client_id' in names:
                fields['client_id'] = 'client-1'
            head, tail = io.BytesIO(), io.BytesIO()
            entity_writer(header)(head, header(**fields))
            entity_writer(cls)(tail, body)
            message = head.getvalue() + tail.getvalue()
            out.append(dict(key=key, version=version, hex=(len(message).to_bytes(4, 'big') + message).hex(),
                            topics=filler.topics, ids=filler.ids, partitions=filler.partitions))
    print('[')
    print(',\n'.join(json.dumps(row) for row in out))
    print(']')


def check():
    count = 0
    for line in sys.stdin:
        row = json.loads(line)
        cls = entity(row['key'], row['version'], 'response')
        header = cls.__header_schema__
        message = bytes.fromhex(row['hex'])
        assert int.from_bytes(message[:4], 'big') == len(message) - 4, row
        rest = message[4:]
        head, used = entity_reader(header)(rest, 0)
        assert head.correlation_id == 0x01020304, row
        body, more = entity_reader(cls)(rest, used)
        used += more
        assert used == len(rest), (row, used, len(rest))
        text = repr(body)
        for topic in row['topics']:
            assert topic in text, (row, text)
        for number in row['partitions']:
            assert f'={number},' in text or f'={number})' in text or f'({number})' in text, (row, number, text)
        count += 1
    print(count, 'answers decoded')


{'write': write, 'check': check}[sys.argv[1]]()
